internal import TesseraCore
internal import TesseraData

/// How pictures of any form become squares: the same way for training, for measuring and for an index, as vectors depend on it.
enum PictureShape {
  /// The whole picture in the middle of a white square.
  ///
  /// - Parameters:
  ///   - image: `[3, height, width]`, `uint8`.
  ///   - size: The height and width of the result.
  /// - Returns: `[3, size, size]`, `uint8`, each pixel the average of what it covers.
  /// - Throws: `TensorError` if it is no such image.
  static func square(_ image: Tensor, size: Int) throws -> Tensor {
    let (height, width) = (image.shape[1], image.shape[2])
    let side = max(height, width)
    let (top, left) = ((side - height) / 2, (side - width) / 2)
    var padded = image
    if side != height || side != width {
      padded = try Tensor.call(
        "aten::constant_pad_nd",
        .tensor(image),
        .ints([left, side - width - left, top, side - height - top]),
        .double(255)
      ).single()
    }
    return try ImageFile.resized(padded, height: size, width: size)
  }
}
