internal import Foundation
internal import TesseraCore

/// The updates of a round, each in memory or in a temporary file.
///
/// In the file, an update's tensors lie one after the other at fixed places, as in memory. Chunks are read into memory of their
/// own, not mapped: they have to lie beside each other anyway, and a disk that fails is an error and not the end of the process.
struct UpdateStore: Sendable {
  enum Body: Sendable {
    case memory([Tensor?])
    /// Where the update begins in the file, and which tensors it has.
    case file(SpoolFile, start: Int, held: [Bool])

    func holds(_ tensor: Int) -> Bool {
      switch self {
      case .memory(let tensors): tensors[tensor] != nil
      case .file(_, _, let held): held[tensor]
      }
    }
  }

  let model: ModelState
  private let settings: CollectiveSettings
  /// Where each tensor begins in a file.
  private let offsets: [Int]
  private let updateBytes: Int
  private(set) var bodies: [Body] = []
  /// How many bytes are kept in memory.
  private(set) var bytesInMemory = 0
  /// How many bytes are in the file.
  var bytesInFile: Int {
    bodies.reduce(0) { sum, body in if case .file = body { sum + updateBytes } else { sum } }
  }
  private var file: SpoolFile?

  init(model: ModelState, settings: CollectiveSettings) {
    self.model = model
    self.settings = settings
    var offset = 0
    offsets = model.tensors.map { tensor in
      defer { offset += tensor.count * tensor.dtype.byteCount }
      return offset
    }
    updateBytes = offset
  }

  /// Keeps an update's tensors, those of the model in its order.
  mutating func append(_ tensors: [Tensor?]) throws {
    let bytes = tensors.reduce(0) { $0 + ($1.map { $0.count * $0.dtype.byteCount } ?? 0) }
    guard bytes > settings.memory - bytesInMemory else {
      bytesInMemory += bytes
      bodies.append(.memory(tensors))
      return
    }
    let file = try file ?? SpoolFile(in: settings.folder)
    self.file = file
    let start = file.reserve(updateBytes)
    for (tensor, offset) in zip(tensors, offsets) {
      try tensor?.withBytes { try file.write($0, at: start + offset) }
    }
    bodies.append(.file(file, start: start, held: tensors.map { $0 != nil }))
  }

  mutating func remove(at position: Int) {
    if case .memory(let tensors) = bodies.remove(at: position) {
      bytesInMemory -= tensors.reduce(0) { $0 + ($1.map { $0.count * $0.dtype.byteCount } ?? 0) }
    }
  }

  /// The positions in `order`, which lists bodies, of the updates that have a tensor.
  func holders(of tensor: Int, in order: [Int]) -> [Int] {
    order.indices.filter { bodies[order[$0]].holds(tensor) }
  }

  /// Walks through a tensor of the updates, chunk by chunk.
  ///
  /// - Parameters:
  ///   - index: Which tensor.
  ///   - order: The bodies, in the order of the sites.
  ///   - fillsFromModel: Whether updates that leave the tensor out have the model's values, or no row.
  ///   - body: Is given each chunk.
  /// - Throws: ``TensorError`` if a file cannot be read, and what `body` throws.
  func forEachChunk(
    of index: Int,
    rows order: [Int],
    fillingFromModel fillsFromModel: Bool,
    _ body: (UpdateChunk) throws -> Void
  ) throws {
    let reference = try model.tensors[index].laidOut(as: .rowMajor).reshaped(to: [-1])
    let stored = reference.dtype
    let computed: DType = stored == .float64 || !stored.isFloatingPoint ? .float64 : .float32
    let positions = fillsFromModel ? Array(order.indices) : holders(of: index, in: order)
    // What is read is widened afterwards: both count.
    let bytes = computed.byteCount + (stored == computed ? 0 : stored.byteCount)
    let length = max(1, settings.chunk / max(1, positions.count * bytes))
    for start in stride(from: 0, to: reference.count, by: length) {
      let elements = start..<min(start + length, reference.count)
      let own = try reference.slices(in: elements)
      let memory = try ChunkMemory(bytes: positions.count * elements.count * stored.byteCount)
      let rowBytes = elements.count * stored.byteCount
      for (row, position) in positions.enumerated() {
        let place = row * rowBytes..<(row + 1) * rowBytes
        try read(
          index,
          elements,
          of: bodies[order[position]],
          or: own,
          into: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[place])
        )
      }
      let values = try memory.tensor(shape: [positions.count, elements.count], dtype: stored)
      try body(
        UpdateChunk(
          tensor: model.names[index],
          elements: elements,
          updates: positions,
          values: try values.to(computed),
          reference: try own.to(computed)
        )
      )
    }
  }

  private func read(
    _ index: Int,
    _ elements: Range<Int>,
    of body: Body,
    or reference: Tensor,
    into target: UnsafeMutableRawBufferPointer
  ) throws {
    let size = model.tensors[index].dtype.byteCount
    switch body {
    case .file(let file, let start, let held) where held[index]:
      try file.read(into: target, at: start + offsets[index] + elements.lowerBound * size)
    case .memory(let tensors):
      let part = try tensors[index]?.laidOut(as: .rowMajor).reshaped(to: [-1]).slices(in: elements)
      try (part ?? reference).withBytes { target.copyMemory(from: $0) }
    case .file: try reference.withBytes { target.copyMemory(from: $0) }
    }
  }
}

/// Memory that is filled once and then becomes a tensor.
//
// @unchecked Sendable: only its maker writes to it, before the first tensor over it exists.
final class ChunkMemory: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  private let address: UnsafeMutableRawPointer

  /// - Throws: ``TensorError`` with code ``TensorError/Code/outOfMemory``: whoever sends a model says how large it is.
  init(bytes count: Int) throws {
    var memory: UnsafeMutableRawPointer?
    // As LibTorch aligns its own.
    guard posix_memalign(&memory, 64, max(1, count)) == 0, let memory else {
      throw TensorError(code: .outOfMemory, message: "no memory for \(count) bytes")
    }
    address = memory
    bytes = UnsafeMutableRawBufferPointer(start: address, count: count)
  }

  deinit { free(address) }

  func tensor(shape: [Int], dtype: DType, offset: Int = 0) throws -> Tensor {
    try Tensor(memory: address + offset, owner: self, shape: shape, dtype: dtype)
  }
}
