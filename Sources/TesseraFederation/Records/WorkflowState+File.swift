internal import Foundation
public import SystemPackage
internal import TesseraCore

extension WorkflowState {
  /// What a file says of a state beside its tensors.
  private struct Description: Codable {
    var kind: String
    var metadata: Exchange.Metadata
    var metrics: [String: Double]
    var headers: [String: String]
    var documents: [String: String]
    var memory: [String]
    var isFinished: Bool
    var step: Int
    var round: Int
    /// Missing in files of versions that did not keep it.
    var unusedAnswers: [Int: Int]?
  }

  private static let descriptionKey = "tessera.state"

  /// Writes the state to a `.safetensors` file, all of it or nothing.
  ///
  /// The global model's tensors are named `global/NAME`, those of a memory `memory/MEMORY/NAME`.
  ///
  /// - Throws: `TensorError` if the system refuses.
  public func write(to path: FilePath) throws {
    let description = Description(
      kind: global.kind.name,
      metadata: global.metadata,
      metrics: global.metrics,
      headers: global.headers,
      documents: documents,
      memory: memory.keys.sorted(),
      isFinished: isFinished,
      step: step,
      round: round,
      unusedAnswers: unusedAnswers.isEmpty ? nil : unusedAnswers
    )
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(description), as: UTF8.self)
    try tensors().write(to: path, metadata: [Self.descriptionKey: text])
  }

  /// Reads what ``write(to:)`` has written.
  ///
  /// - Throws: `TensorError` if the file is damaged; ``FederationError`` with code ``FederationError/Code/cannotResume`` if it
  ///   is no state.
  public init(contentsOf path: FilePath) throws {
    let file = try SafeTensors(contentsOf: path)
    guard let text = file.metadata[Self.descriptionKey],
      let description = try? JSONDecoder().decode(Description.self, from: Data(text.utf8)),
      let kind = Exchange.Kind(name: description.kind)
    else {
      throw FederationError(
        code: .cannotResume,
        message: "\(path) does not say what it is the state of"
      )
    }
    let all = try ModelState(contentsOf: path)
    func part(_ prefix: String) throws -> ModelState {
      // Copies: the file is removed when the next round is done.
      try ModelState(
        all.entries.filter { $0.name.hasPrefix(prefix) }.map {
          (name: String($0.name.dropFirst(prefix.count)), tensor: try $0.tensor.copied())
        }
      )
    }
    self.init(
      Exchange(
        kind,
        tensors: try part("global/"),
        metrics: description.metrics,
        metadata: description.metadata,
        headers: description.headers
      )
    )
    for name in description.memory {
      memory[name] = try part("memory/" + ModelState.prefix(of: name))
    }
    documents = description.documents
    isFinished = description.isFinished
    step = description.step
    round = description.round
    unusedAnswers = description.unusedAnswers ?? [:]
  }

  /// All tensors under one roof.
  private func tensors() throws -> ModelState {
    var entries = global.tensors.entries.map { (name: "global/\($0.name)", tensor: $0.tensor) }
    entries += try ModelState(joining: memory).entries.map { ("memory/" + $0.name, $0.tensor) }
    return try ModelState(entries)
  }

  /// All that the workflow keeps besides the global model, or `nil` if that is nothing.
  func memoryTensors() throws -> ModelState? {
    memory.isEmpty ? nil : try ModelState(joining: memory)
  }
}
