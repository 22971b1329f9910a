internal import Foundation
internal import TesseraCore

extension ModelState {
  /// Memories under one roof, in the order of their names: a tensor is named `MEMORY/TENSOR`.
  ///
  /// Names of memories may hold slashes themselves, which are written `%2F`, and `%` is written `%25`: what comes before the
  /// first slash is the memory, whatever the two are called.
  init(joining memories: [String: ModelState]) throws {
    try self.init(
      memories.sorted { $0.key < $1.key }.flatMap { name, state in
        state.entries.map { (name: "\(Self.prefix(of: name))\($0.name)", tensor: $0.tensor) }
      }
    )
  }

  /// What the names of a memory's tensors begin with.
  static func prefix(of memory: String) -> String {
    let name = memory.replacingOccurrences(of: "%", with: "%25")
    return name.replacingOccurrences(of: "/", with: "%2F") + "/"
  }

  /// What ``init(joining:)`` has joined, as copies: the file that it was read from may go.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if a tensor belongs to no memory.
  func memories() throws -> [String: ModelState] {
    var entries: [String: [(name: String, tensor: Tensor)]] = [:]
    for (name, tensor) in self.entries {
      guard let slash = name.firstIndex(of: "/") else {
        throw FederationError(
          code: .cannotResume,
          message: "the tensor '\(name)' belongs to no memory"
        )
      }
      let memory = name[..<slash].replacingOccurrences(of: "%2F", with: "/")
        .replacingOccurrences(of: "%25", with: "%")
      entries[memory, default: []].append(
        (name: String(name[name.index(after: slash)...]), tensor: try tensor.copied())
      )
    }
    return try entries.mapValues { try ModelState($0) }
  }
}
