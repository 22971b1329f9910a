internal import CTessera
package import SystemPackage

/// The sum of many tensors of one shape, the same whatever the order of the addends.
///
/// Elements are added as 64-bit fixed-point numbers, `round(x · scale)`, and integer addition has no order. An addend can
/// be taken back exactly.
///
/// - Complexity: One pass over each addend; 8 bytes per element from the first addend on.
public struct ExactSum: Sendable {
  /// The shape of the addends.
  public let shape: [Int]
  /// The largest magnitude that an element may have.
  public let bound: Double
  /// The most that the weights of all addends can add up to.
  public let totalWeight: Double
  /// `nil` while every sum is 0.
  private var sums: SumStorage?
  private let count: Int
  private var usedWeight = 0.0
  private let unit: Double

  /// An empty sum.
  ///
  /// - Parameters:
  ///   - shape: The shape of the addends.
  ///   - bound: The largest magnitude that an element may have, above 0 and at most ``largestBound``.
  ///   - totalWeight: The most that the weights of all addends can add up to, above 0 and at most ``largestBound``.
  public init(shape: [Int], bound: Double, totalWeight: Double) {
    let allowed = Double.leastNonzeroMagnitude...Self.largestBound
    precondition(allowed.contains(bound), "a bound of \(bound)")
    precondition(allowed.contains(totalWeight), "a total weight of \(totalWeight)")
    self.shape = shape
    self.bound = bound
    self.totalWeight = totalWeight
    count = shape.reduce(1, *)
    // A power of two, so that scaling rounds nothing, with bound · totalWeight · unit ≤ 2^61: every sum fits.
    let carry = bound.significand * totalWeight.significand >= 2 ? 1 : 0
    let exponent = 60 - Int(bound.exponent) - Int(totalWeight.exponent) - carry
    // Beyond 2^1000 lies nothing that a Double could show.
    unit = Double(sign: .plus, exponent: Swift.min(exponent, 1000), significand: 1)
  }

  /// What no bound may exceed: beyond it, products with weights would leave the range of a `Double`.
  public static let largestBound = 0x1p500

  /// The smallest difference that the sum still sees.
  public var resolution: Double { 1 / unit }

  /// Adds a tensor, or nothing if an element is not finite or too large, or the weights are more than ``totalWeight``.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/numerical`` or ``TensorError/Code/shapeMismatch``.
  public mutating func add(_ tensor: Tensor, weight: Double) throws {
    try fold(tensor, weight: weight, subtracting: false)
  }

  /// Takes back a tensor that was added with this weight.
  public mutating func subtract(_ tensor: Tensor, weight: Double) throws {
    try fold(tensor, weight: weight, subtracting: true)
  }

  private mutating func fold(_ tensor: Tensor, weight: Double, subtracting: Bool) throws {
    guard tensor.shape == shape else {
      throw TensorError(
        code: .shapeMismatch,
        message: "shape \(tensor.shape) where \(shape) was expected"
      )
    }
    let used = usedWeight + (subtracting ? -1 : 1) * Swift.abs(weight)
    // Weights such as 0.1 add up to a little more than they should. The sums have room for four times the total.
    let slack = totalWeight * 1e-9
    guard (-slack...totalWeight + slack).contains(used) else {
      throw TensorError(
        code: .numerical,
        message: "the weights of all addends are more than the sum was made for"
      )
    }
    // A tensor without elements has nothing to add.
    if count > 0 {
      let scale = weight * unit
      let sums = try ownSums()
      let code = try withExtendedLifetime(sums) {
        try Self.fold(tensor, scale: scale, bound: bound, subtracting, into: sums.address)
      }
      guard code != TESSERA_NUMERICAL else {
        throw TensorError(
          code: .numerical,
          message: "an element is not a number, infinite or beyond ±\(bound)"
        )
      }
      try check(code)
    }
    usedWeight = used
  }

  /// How many elements are looked at before their pages are given back: as many as fill a large page with their sums.
  private static let slice = 1 << 18

  /// Adds all elements, or none.
  private static func fold(
    _ tensor: Tensor,
    scale: Double,
    bound: Double,
    _ subtracting: Bool,
    into sums: UnsafeMutablePointer<Int64>
  ) throws -> TesseraCode {
    func fold(_ part: Tensor, at start: Int, _ subtracting: Bool) -> TesseraCode {
      withExtendedLifetime(part.handle) {
        tessera_fold(part.pointer, scale, bound, subtracting, sums + start, part.count)
      }
    }
    guard tensor.liesInFile, tensor.count > slice else { return fold(tensor, at: 0, subtracting) }
    let parts = try slices(of: tensor)
    for (index, part) in parts.enumerated() {
      let code = fold(part, at: index * slice, subtracting)
      guard code == TESSERA_OK else {
        // Integer sums are taken back exactly.
        for done in 0..<index { _ = fold(parts[done], at: done * slice, !subtracting) }
        tensor.giveBackPages()
        return code
      }
      part.giveBackPages()
    }
    return TESSERA_OK
  }

  /// A tensor's elements, so many at a time.
  private static func slices(of tensor: Tensor) throws -> [Tensor] {
    let flat = try tensor.laidOut(as: .rowMajor).reshaped(to: [-1])
    return try stride(from: 0, to: flat.count, by: slice).map {
      try flat.slices(in: $0..<min($0 + slice, flat.count))
    }
  }

  /// The sums, for writing: copied before if another value has them too.
  private mutating func ownSums() throws -> SumStorage {
    if sums != nil, isKnownUniquelyReferenced(&sums), let sums { return sums }
    let own = try sums.map { try SumStorage(copying: $0) } ?? SumStorage(count: count)
    sums = own
    return own
  }

  /// The sum divided by `weight`: a weighted mean, if it is the sum of the weights.
  ///
  /// The sum itself stays. ``takeQuotient(dividingBy:dtype:adding:times:)`` spares the copy.
  public func quotient(dividingBy weight: Double, dtype: DType) throws -> Tensor {
    var copy = self
    return try copy.takeQuotient(dividingBy: weight, dtype: dtype)
  }

  /// The sum divided by `weight`, written over the memory of the sum, which is empty afterwards.
  ///
  /// - Parameters:
  ///   - weight: The divisor.
  ///   - dtype: The type of the result; whole numbers are rounded to the nearest.
  ///   - reference: Is added to the quotient; has the sum's shape and `dtype`.
  ///   - share: What `reference` is multiplied by before.
  /// - Returns: The quotient, rounded to `dtype` once.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/unsupported`` if the elements of `dtype` are larger than 8 bytes.
  public mutating func takeQuotient(
    dividingBy weight: Double,
    dtype: DType,
    adding reference: Tensor? = nil,
    times share: Double = 1
  ) throws -> Tensor {
    try takeQuotient(dividingBy: weight, dtype: dtype, adding: reference, times: share, spool: nil)
  }

  /// The sum divided by `weight`, in a temporary file if it is large: while it is written, the sum goes.
  ///
  /// - Parameters:
  ///   - weight: The divisor.
  ///   - dtype: The type of the result; whole numbers are rounded to the nearest.
  ///   - reference: Is added to the quotient; has the sum's shape and `dtype`.
  ///   - share: What `reference` is multiplied by before.
  ///   - spool: Where the file lies; the quotient stays in memory if `nil`, or if the disk has no room.
  /// - Returns: The quotient, rounded to `dtype` once.
  /// - Throws: As ``takeQuotient(dividingBy:dtype:adding:times:)``.
  package mutating func takeQuotient(
    dividingBy weight: Double,
    dtype: DType,
    adding reference: Tensor? = nil,
    times share: Double = 1,
    spool: FilePath?
  ) throws -> Tensor {
    guard count > 0 else { return try Tensor.zeros(shape, dtype: dtype) }
    let own = try ownSums()
    func unfold(_ elements: Range<Int>, _ reference: Tensor?) throws {
      try withExtendedLifetime((reference?.handle, own)) {
        try check(
          tessera_unfold_sums(
            own.address + elements.lowerBound,
            weight * unit,
            reference?.pointer,
            share,
            elements.count,
            dtype.code
          )
        )
      }
    }
    let bytes = count * dtype.byteCount
    let target = spool.flatMap { folder in
      bytes < SpooledMemory.smallest
        ? nil : try? SpooledMemory(bytes: bytes, in: folder, isReserved: true)
    }
    guard let target else {
      try unfold(0..<count, reference)
      sums = nil
      usedWeight = 0
      own.shrink(to: bytes)
      return try Tensor(memory: own.address, owner: own, shape: shape, dtype: dtype)
    }
    let references = try reference.map(Self.slices(of:))
    for start in stride(from: 0, to: count, by: Self.slice) {
      let elements = start..<Swift.min(start + Self.slice, count)
      let part = references?[start / Self.slice]
      try unfold(elements, part)
      try target.write(
        UnsafeRawBufferPointer(
          start: own.address + start,
          count: elements.count * dtype.byteCount
        ),
        at: start * dtype.byteCount
      )
      own.forget(elements)
      part?.giveBackPages()
    }
    sums = nil
    usedWeight = 0
    return try target.tensor(shape: shape, dtype: dtype)
  }
}
