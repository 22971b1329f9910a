internal import TesseraCore

/// The magnitudes of all elements of several tensors in ascending order, of which only those asked for are computed.
///
/// The leading bits of a floating-point number order magnitudes roughly: counts of them say in which of 32,768 bins a rank
/// lies, and only the elements of that bin are sorted. So a rank of a model costs little more than reading it once.
struct MagnitudeOrder {
  /// How many elements there are.
  let count: Int
  private let pieces: [Tensor]
  private let counts: [Int]

  /// The order of finite elements, all `float32` or all `float64`.
  init(_ tensors: [Tensor]) throws {
    pieces = try tensors.flatMap { try $0.pieces() }
    count = tensors.reduce(0) { $0 + $1.count }
    var total = try Tensor.zeros([1 << 15], dtype: .int64)
    for piece in pieces {
      try total += Tensor.call(
        "aten::bincount",
        .tensor(Self.bins(of: piece)),
        .none,
        .int(1 << 15)
      ).single()
    }
    counts = try total.array(of: Int.self)
  }

  /// The magnitude at a rank, from 0 for the least.
  func magnitude(at rank: Int) throws -> Double {
    guard (0..<count).contains(rank) else {
      throw TensorError(code: .indexOutOfRange, message: "rank \(rank) of \(count) elements")
    }
    var (bin, below) = (0, 0)
    while below + counts[bin] <= rank {
      below += counts[bin]
      bin += 1
    }
    let members = try pieces.map { try $0.elements(where: Self.bins(of: $0).equals(bin)) }
    return try abs(concatenate(members)).sorted().values.slice(at: rank - below).item()
  }

  /// The exponent and the first bits of the fraction of each element, without the sign, as whole numbers.
  private static func bins(of piece: Tensor) throws -> Tensor {
    let isDouble = piece.dtype == .float64
    let bits = try Tensor.call(
      "aten::view.dtype",
      .tensor(piece),
      .dtype(isDouble ? .int64 : .int32)
    ).single()
    let leading = try Tensor.call(
      "aten::bitwise_right_shift.Tensor_Scalar",
      .tensor(bits),
      .int(isDouble ? 48 : 16)
    ).single()
    return try Tensor.call("aten::bitwise_and.Scalar", .tensor(leading), .int(0x7fff)).single()
  }
}
