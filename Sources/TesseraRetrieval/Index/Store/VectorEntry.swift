/// What a store keeps of a picture or a text.
public struct VectorEntry: Sendable, Hashable {
  /// Its name in the store, as the path of a picture.
  public var id: String
  /// As many numbers as the store's dimension, all finite.
  public var vector: [Float]
  /// What else is known of it, to be shown and filtered by.
  public var metadata: [String: MetadataValue]
  /// Of what it was made from, as the SHA-256 of a picture's file: who indexes again tells by it what has changed.
  public var digest: String

  /// Makes an entry.
  public init(
    id: String,
    vector: [Float],
    metadata: [String: MetadataValue] = [:],
    digest: String = ""
  ) {
    self.id = id
    self.vector = vector
    self.metadata = metadata
    self.digest = digest
  }
}

extension [VectorEntry] {
  /// Refuses entries that no store of a dimension keeps, before anything is written.
  func check(dimension: Int) throws {
    var ids: Set<String> = []
    for (number, entry) in enumerated() {
      func refused(_ reason: String) -> RetrievalError {
        let name = entry.id.isEmpty ? "entry \(number)" : "entry '\(entry.id)'"
        return RetrievalError(code: .invalidArgument, message: "\(name) \(reason)")
      }
      guard !entry.id.isEmpty else { throw refused("has no id") }
      guard !entry.id.utf8.contains(0) else { throw refused("has an id with a zero byte") }
      guard ids.insert(entry.id).inserted else { throw refused("comes twice") }
      guard entry.vector.count == dimension else {
        throw refused(
          "has a vector of \(entry.vector.count) numbers; the store's have \(dimension)"
        )
      }
      guard entry.vector.allSatisfy(\.isFinite) else {
        throw refused("has a vector with NaN or infinity")
      }
      for (name, value) in entry.metadata {
        guard !name.isEmpty, name != VectorFilter.idName, !name.utf8.contains(0) else {
          throw refused("has metadata under a name that is empty, 'id' or has a zero byte")
        }
        switch value {
        case .number(let number) where !number.isFinite:
          throw refused("has a number under '\(name)' that is NaN or infinite")
        case .text(let text) where text.utf8.contains(0):
          throw refused("has a text under '\(name)' with a zero byte")
        default: break
        }
      }
    }
  }
}
