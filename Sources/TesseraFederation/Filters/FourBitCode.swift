internal import TesseraCore

/// Sixteen levels within `-1...1`, two of which fit a byte.
struct FourBitCode {
  /// The quantiles of a normal distribution that QLoRA gives in appendix E.
  ///
  /// With *q(p)* the quantile and *δ* = 0.9677083: *q* of 8 evenly spaced *p* from 1 - *δ* to ½, then of 8 from ½ (not
  /// included) to *δ*, all divided by *q(δ)*.
  static let nf4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
  ]

  /// 0, ½, 1, 1½, 2, 3, 4 and 6 with both signs, divided by 6; zero has two codes.
  static let fp4 = [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0, 0.5, 1, 1.5, 2, 3, 4, 6].map { $0 / 6 }

  private let levels: Tensor
  private let boundaries: Tensor

  /// A code of 16 ascending levels.
  init(_ levels: [Double], dtype: DType) throws {
    self.levels = try Tensor(levels).to(dtype)
    boundaries = try Tensor(zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 }).to(dtype)
  }

  /// The codes of elements within `-1...1`, the first of each two in the upper half of a byte; an odd one has no second.
  ///
  /// A generator draws which of the two neighbours an element gets; it is the nearer one without.
  func packed(_ x: Tensor, rounding generator: Generator?) throws -> Tensor {
    var codes = try self.codes(x.flattened(), rounding: generator).to(.uint8)
    if !codes.count.isMultiple(of: 2) { codes = try codes.padded([0, 1]) }
    let pairs = try codes.reshaped(to: [-1, 2])
    return try pairs.slice(at: 0, along: 1) * 16 + pairs.slice(at: 1, along: 1)
  }

  private func codes(_ x: Tensor, rounding generator: Generator?) throws -> Tensor {
    guard let generator else { return try Self.place(of: x, among: boundaries, right: false) }
    let lower = try (Self.place(of: x, among: levels, right: true) - 1).clamped(from: 0, to: 14)
    let low = try levels.gathered(lower)
    let high = try levels.gathered(lower + 1)
    let chance = try Tensor.uniform(x.shape, dtype: x.dtype, using: generator) * (high - low)
    return try lower + (x - low).isGreater(than: chance).to(.int32)
  }

  private static func place(of x: Tensor, among limits: Tensor, right: Bool) throws -> Tensor {
    try Tensor.call(
      "aten::bucketize.Tensor",
      .tensor(x),
      .tensor(limits),
      named: ["out_int32": .bool(true), "right": .bool(right)]
    ).single()
  }

  /// The levels that bytes stand for, two for each.
  func unpacked(_ bytes: Tensor) throws -> Tensor {
    let high = try levels.unsqueezed(1).expanded(to: [16, 16])
    let low = try levels.unsqueezed(0).expanded(to: [16, 16])
    let pairs = try stack([high.flattened(), low.flattened()], along: 1)
    return try concatenate(
      bytes.pieces().map { try pairs.gathered($0.to(.int32)).flattened() }
    )
  }
}
