internal import Foundation
public import TesseraCore

/// Cuts a window of drawn size, shape and place, and resizes it (Szegedy et al., 2015, section 6).
public struct RandomResizedCrop: SampleTransform {
  /// The height that images get.
  public let height: Int
  /// The width that images get.
  public let width: Int
  /// The share of the image's area that a window has, above 0 and at most 1.
  public let area: ClosedRange<Double>
  /// A window's width divided by its height, above 0.
  public let aspect: ClosedRange<Double>

  /// Makes the transform.
  ///
  /// - Parameters:
  ///   - height: The height that images get.
  ///   - width: The width that images get.
  ///   - area: The share of the image's area that a window has, drawn evenly.
  ///   - aspect: A window's width divided by its height, drawn evenly in its logarithm.
  public init(
    height: Int,
    width: Int,
    area: ClosedRange<Double> = 0.08...1,
    aspect: ClosedRange<Double> = 3 / 4...4 / 3
  ) {
    self.height = height
    self.width = width
    self.area = area
    self.aspect = aspect
  }

  /// The windows, resized to `[batch, channels, height, width]`.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    guard (1...ImageFile.mostPixels).contains(height), (1...ImageFile.mostPixels).contains(width),
      area.lowerBound > 0, area.upperBound <= 1, aspect.lowerBound > 0, aspect.upperBound.isFinite
    else {
      throw DataError(
        code: .invalidArgument,
        message: """
          a crop resized to \(height)×\(width) needs sizes of 1 pixel or more, areas up to 1 \
          and aspects, all above 0, not \(area) and \(aspect)
          """
      )
    }
    let shape = batch.shape
    guard shape[0] > 0, shape[2] > 0, shape[3] > 0 else {
      throw DataError(code: .invalidArgument, message: "there is no window in images \(batch)")
    }
    let windows = try keys.enumerated().map { number, key in
      let (rows, columns) = window(height: shape[2], width: shape[3], key["resizedCrop"])
      return try Tensor.call(
        // Averages over all pixels that a new one covers, where a window shrinks.
        "aten::_upsample_bilinear2d_aa",
        .tensor(
          batch.slices(in: number..<number + 1).slices(in: rows, along: 2)
            .slices(in: columns, along: 3)
        ),
        .ints([height, width]),
        .bool(false)
      ).single()
    }
    return try concatenate(windows)
  }

  /// The first of ten drawn windows that fits, or the largest in the middle with an aspect that is allowed.
  private func window(height: Int, width: Int, _ key: RandomKey) -> (Range<Int>, Range<Int>) {
    var numbers = KeyedRandomNumbers(key: key)
    let (tall, wide) = (Double(height), Double(width))
    let logs = log(aspect.lowerBound)...log(aspect.upperBound)
    for _ in 0..<10 {
      let size = tall * wide * Double.random(in: area, using: &numbers)
      let ratio = exp(Double.random(in: logs, using: &numbers))
      let (h, w) = ((size / ratio).squareRoot().rounded(), (size * ratio).squareRoot().rounded())
      guard (1...tall).contains(h), (1...wide).contains(w) else { continue }
      let top = Int.random(in: 0...height - Int(h), using: &numbers)
      let left = Int.random(in: 0...width - Int(w), using: &numbers)
      return (top..<top + Int(h), left..<left + Int(w))
    }
    let ratio = min(max(wide / tall, aspect.lowerBound), aspect.upperBound)
    let h = max(1, Int(min(tall, wide / ratio).rounded()))
    let w = max(1, Int(min(wide, tall * ratio).rounded()))
    let (top, left) = ((height - h) / 2, (width - w) / 2)
    return (top..<top + h, left..<left + w)
  }
}
