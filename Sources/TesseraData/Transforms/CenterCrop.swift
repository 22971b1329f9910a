public import TesseraCore

/// Cuts the window in the middle of the image.
public struct CenterCrop: SampleTransform {
  /// The height of the window, at most the image's.
  public let height: Int
  /// The width of the window, at most the image's.
  public let width: Int

  /// Makes the transform.
  public init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// The windows, `[batch, channels, height, width]`.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    let shape = batch.shape
    guard height >= 1, width >= 1, height <= shape[2], width <= shape[3] else {
      throw DataError(
        code: .invalidArgument,
        message: "images of \(shape[2])×\(shape[3]) have no window of \(height)×\(width)"
      )
    }
    let (top, left) = ((shape[2] - height) / 2, (shape[3] - width) / 2)
    return try batch.slices(in: top..<top + height, along: 2)
      .slices(in: left..<left + width, along: 3)
      .laidOut(as: .rowMajor)
  }
}
