internal import CPNG
internal import Foundation
internal import TesseraCore

/// libpng by its simplified interface, whose errors are values: no jump crosses Swift's frames.
enum PNGCoder {
  static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ wish: ImageFile.Wish,
    _ malformed: (String) -> DataError
  ) throws -> Tensor {
    let chunks = try PNGChunks(bytes, malformed)
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    // libpng reads from this memory until the last row.
    return try chunks.essential.withUnsafeBytes { essential in
      guard png_image_begin_read_from_memory(&image, essential.baseAddress, essential.count) != 0
      else { throw malformed(message(image)) }
      let (height, width) = (Int(image.height), Int(image.width))
      try wish.check(height: height, width: width, malformed)
      try chunks.checkSize(height: height, width: width, malformed)
      // Otherwise libpng takes 16 bits for linear light and brightens them.
      image.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
      let hasColor = image.format & UInt32(PNG_FORMAT_FLAG_COLOR) != 0
      // libpng would make grey of linear light; JPEG's grey is a sum of the stored numbers.
      let isColor = wish.channels == .rgb || hasColor
      let alpha = image.format & UInt32(PNG_FORMAT_FLAG_ALPHA)
      image.format = alpha | (isColor ? UInt32(PNG_FORMAT_FLAG_COLOR) : 0)
      let count = (isColor ? 3 : 1) + (alpha == 0 ? 0 : 1)
      var pixels = Pixels(height: height, width: width, channels: count)
      try pixels.decode { buffer in
        guard png_image_finish_read(&image, nil, buffer, 0, nil) != 0,
          // Warnings are about damage that was read over: a wrong checksum, missing rows.
          image.warning_or_error == 0
        else { throw malformed(message(image)) }
      }
      // libpng would mix in linear light too.
      let opaque = alpha == 0 ? pixels : pixels.over(wish.backdrop)
      return try wish.channels == .grey ? opaque.grey().tensor() : opaque.tensor()
    }
  }

  static func encode(
    _ pixels: [UInt8],
    height: Int,
    width: Int,
    channels: Int,
    _ failed: (String) -> DataError
  ) throws -> [UInt8] {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    image.width = UInt32(width)
    image.height = UInt32(height)
    image.format = channels == 3 ? UInt32(PNG_FORMAT_FLAG_COLOR) : 0
    var size = 0
    guard png_image_write_to_memory(&image, nil, &size, 0, pixels, 0, nil) != 0 else {
      throw failed(message(image))
    }
    return try [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
      guard png_image_write_to_memory(&image, buffer.baseAddress, &size, 0, pixels, 0, nil) != 0
      else { throw failed(message(image)) }
      initialized = size
    }
  }

  private static func message(_ image: png_image) -> String {
    withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}
