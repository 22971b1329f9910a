internal import CFaiss
internal import SystemPackage
internal import TesseraCore
internal import TesseraRetrieval

/// An index of Faiss; for one thread at a time.
final class FaissIndex: NeighborProposals {
  private let pointer: OpaquePointer
  /// What is set before a search; a graph looks at as many vectors as are wanted, at least.
  var effort: (name: String, value: Int)?

  init(dimension: Int, description: String) throws {
    var made: OpaquePointer?
    try Self.check(cfaiss_make(dimension, description, &made))
    pointer = try Self.required(made)
  }

  init(contentsOf path: FilePath) throws {
    var made: OpaquePointer?
    try Self.check(cfaiss_read(path.string, &made))
    pointer = try Self.required(made)
  }

  deinit { cfaiss_release(pointer) }

  var count: Int { cfaiss_count(pointer) }

  func set(_ name: String, _ value: Int) throws {
    try Self.check(cfaiss_set(pointer, name, Double(value)))
  }

  func train(_ vectors: Tensor) throws {
    try withRows(vectors) { base, count in try Self.check(cfaiss_train(pointer, base, count)) }
  }

  func add(_ vectors: Tensor, rows: [Int]) throws {
    try withRows(vectors) { base, count in
      guard count == rows.count else {
        throw RetrievalError(code: .invalidArgument, message: "each vector has a number")
      }
      guard count > 0 else { return }
      try Self.check(cfaiss_add(pointer, base, rows.map(Int64.init), count))
    }
  }

  func proposals(for queries: Tensor, count wanted: Int) throws -> [[Int]] {
    let wanted = min(wanted, count)
    guard wanted > 0 else { return Array(repeating: [], count: queries.shape[0]) }
    if let effort {
      try set(effort.name, effort.name == "efSearch" ? max(effort.value, wanted) : effort.value)
    }
    return try withRows(queries) { base, count in
      var scores = [Float](repeating: 0, count: count * wanted)
      var labels = [Int64](repeating: -1, count: count * wanted)
      try Self.check(cfaiss_search(pointer, base, count, wanted, &scores, &labels))
      return (0..<count).map { query in
        labels[query * wanted..<(query + 1) * wanted].filter { $0 >= 0 }.map(Int.init)
      }
    }
  }

  func write(to path: FilePath) throws { try Self.check(cfaiss_write(pointer, path.string)) }

  /// The rows of a matrix, whose width is that of the index: Faiss does not look.
  private func withRows<Result>(
    _ matrix: Tensor,
    _ body: (UnsafePointer<Float>, Int) throws -> Result
  ) throws -> Result {
    guard matrix.shape.count == 2, matrix.shape[1] == cfaiss_dimension(pointer),
      matrix.dtype == .float32
    else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "vectors have \(cfaiss_dimension(pointer)) numbers of float32, not \(matrix)"
      )
    }
    var nothing: Float = 0
    return try matrix.withBytes { bytes in
      guard let base = bytes.baseAddress else { return try body(&nothing, 0) }
      return try body(base.assumingMemoryBound(to: Float.self), matrix.shape[0])
    }
  }

  private static func required(_ pointer: OpaquePointer?) throws -> OpaquePointer {
    guard let pointer else {
      throw RetrievalError(code: .invalidArgument, message: "Faiss has made no index")
    }
    return pointer
  }

  private static func check(_ code: CFaissCode) throws {
    guard code != CFAISS_OK else { return }
    let message = String(cString: cfaiss_last_message())
    // What it says of its own source's lines helps nobody.
    let reason = message.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? message
    throw switch code {
    case CFAISS_OUT_OF_MEMORY: TensorError(code: .outOfMemory, message: "Faiss: \(reason)")
    case CFAISS_CANNOT_WRITE: RetrievalError(code: .cannotWrite, message: "Faiss: \(reason)")
    default: RetrievalError(code: .invalidArgument, message: "Faiss refuses: \(reason)")
    }
  }
}
