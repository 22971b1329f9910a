public import SystemPackage

/// The tensors of a model under their names, in the model's order: what crosses every border.
///
/// Tasks, wires, files and archives carry model states. The tensors are copies: training on does not change them.
public struct ModelState: Sendable {
  /// The names, in the model's order.
  public let names: [String]
  /// The tensors, in the order of the names.
  public let tensors: [Tensor]
  private let positions: [String: Int]

  /// A state of the given tensors.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/invalidArgument`` if two names are equal.
  public init(_ entries: [(name: String, tensor: Tensor)]) throws {
    var positions: [String: Int] = [:]
    for (position, entry) in entries.enumerated() {
      guard positions.updateValue(position, forKey: entry.name) == nil else {
        throw TensorError(code: .invalidArgument, message: "two tensors are named '\(entry.name)'")
      }
    }
    names = entries.map(\.name)
    tensors = entries.map(\.tensor)
    self.positions = positions
  }

  private init(names: [String], tensors: [Tensor], positions: [String: Int]) {
    self.names = names
    self.tensors = tensors
    self.positions = positions
  }

  /// The tensor of that name.
  public subscript(name: String) -> Tensor? { positions[name].map { tensors[$0] } }

  /// Names and tensors together.
  public var entries: [(name: String, tensor: Tensor)] {
    zip(names, tensors).map { (name: $0, tensor: $1) }
  }

  /// The number of elements of all tensors.
  public var parameterCount: Int { tensors.reduce(0) { $0 + $1.count } }

  /// The size of all tensors in bytes.
  public var byteCount: Int { tensors.reduce(0) { $0 + $1.count * $1.dtype.byteCount } }

  /// The state with other tensors under the same names.
  ///
  /// - Throws: What `transform` throws.
  public func mapTensors(_ transform: (String, Tensor) throws -> Tensor) rethrows -> ModelState {
    ModelState(
      names: names,
      tensors: try zip(names, tensors).map(transform),
      positions: positions
    )
  }

  /// Whether both have the same names, shapes, dtypes and elements, bit for bit.
  public func isIdentical(to other: ModelState) throws -> Bool {
    guard names == other.names else { return false }
    return try zip(tensors, other.tensors).allSatisfy { try $0.isIdentical(to: $1) }
  }

  /// Reads a `.safetensors` file, memory-mapped.
  public init(contentsOf path: FilePath) throws {
    let file = try SafeTensors(contentsOf: path)
    try self.init(file.names.map { (name: $0, tensor: try file.tensor($0)) })
  }

  /// Writes a `.safetensors` file, all of it or nothing.
  public func write(to path: FilePath, metadata: [String: String] = [:]) throws {
    try SafeTensors.write(entries, metadata: metadata, to: path)
  }
}
