internal import Foundation
public import SystemPackage

/// The tensors of a model under their names, in the model's order: what crosses every border.
///
/// Tasks, wires, files and archives carry model states. The tensors are those it was made of, not copies: a module copies
/// its own when it is asked for its state, and the state of a file lies in the file's mapped memory.
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

  /// A state without tensors.
  public static let empty = ModelState(names: [], tensors: [], positions: [:])

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

  /// Where a file's metadata holds the names in the model's order, as a JSON list.
  ///
  /// The tensors themselves lie by the size of their elements.
  private static let orderKey = "tessera.order"

  /// Reads a `.safetensors` file, memory-mapped.
  ///
  /// The order is the one that was written; in files of other programs, that of the bytes.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/malformedFile`` or ``TensorError/Code/fileSystem``.
  public init(contentsOf path: FilePath) throws {
    try self.init(SafeTensors(contentsOf: path))
  }

  /// The tensors of a `.safetensors` file, in the order of ``init(contentsOf:)``.
  ///
  /// - Throws: ``TensorError`` if memory is short.
  public init(_ file: SafeTensors) throws {
    var names = file.names
    if let text = file.metadata[Self.orderKey],
      let order = try? JSONDecoder().decode([String].self, from: Data(text.utf8)),
      order.count == names.count, Set(order) == Set(names)
    {
      names = order
    }
    try self.init(names.map { (name: $0, tensor: try file.tensor($0)) })
  }

  /// Writes a `.safetensors` file, all of it or nothing.
  ///
  /// - Parameters:
  ///   - path: An earlier file of that name is replaced.
  ///   - metadata: Free text for readers. The order of the names is added under `tessera.order`.
  ///   - isDurable: Whether the bytes are on the disk when this returns.
  /// - Throws: ``TensorError`` if a dtype cannot be stored, or the system refuses to write.
  public func write(
    to path: FilePath,
    metadata: [String: String] = [:],
    isDurable: Bool = true
  ) throws {
    var metadata = metadata
    metadata[Self.orderKey] = String(decoding: try JSONEncoder().encode(names), as: UTF8.self)
    try SafeTensors.write(entries, metadata: metadata, to: path, isDurable: isDurable)
  }
}
