/// What Chroma answers of entries: lists beside each other.
struct ChromaEntries: Decodable {
  var ids: [String]
  var embeddings: [[Float]?]?
  var metadatas: [ChromaEntry?]?
}

/// What Chroma answers to queries: such lists for each.
struct ChromaMatches: Decodable {
  var ids: [[String]]
  var distances: [[Float?]]?
  var metadatas: [[ChromaEntry?]]?
}

/// The metadata of an entry, and what an indexer keeps beside it.
struct ChromaEntry: Decodable {
  var metadata: [String: MetadataValue] = [:]
  var digest = ""

  private static let digestName = "tessera:digest"

  /// Whether no entry's own metadata may have a name: it is this client's, or Chroma's.
  static func isReserved(_ name: String) -> Bool {
    name == digestName || name.hasPrefix("#") || name.hasPrefix("$") || name.hasPrefix("chroma:")
  }

  init(_ entry: VectorEntry) {
    metadata = entry.metadata
    digest = entry.digest
  }

  /// Reads texts, numbers and booleans; what other clients have written besides is left out.
  init(from decoder: any Decoder) throws {
    struct Value: Decodable {
      var value: MetadataValue?
      init(from decoder: any Decoder) throws { value = try? MetadataValue(from: decoder) }
    }
    for (name, value) in try [String: Value](from: decoder) {
      if name == Self.digestName, case .text(let text)? = value.value {
        digest = text
      } else {
        metadata[name] = value.value
      }
    }
  }

  /// What is sent: with names that are to be forgotten, as Chroma keeps those that it is not told of.
  func json(forgetting old: Set<String> = []) -> JSONText {
    var members = metadata.map { (name: $0.key, value: JSONText($0.value)) }
    members += old.subtracting(metadata.keys).map { ($0, .null) }
    members.append((Self.digestName, .text(digest)))
    return .object(members)
  }
}
