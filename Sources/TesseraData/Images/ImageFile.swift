internal import CJPEG
internal import CPNG
internal import Foundation
public import SystemPackage
public import TesseraCore

/// Reading of PNG and JPEG files through libpng and libjpeg-turbo, and writing of PNG.
public enum ImageFile {
  /// What is wanted of an image's colours.
  public enum Channels: String, Hashable, Sendable, CaseIterable {
    /// One channel if the file is grey, three if it has colours.
    case asStored
    /// One channel.
    case grey
    /// Red, green and blue.
    case rgb
  }

  /// The most pixels that an image may have: 2^28, a square of 16,384.
  ///
  /// A file of a few bytes can claim billions.
  public static let mostPixels = 1 << 28

  /// Reads an image.
  ///
  /// What it is, its first bytes say, not its name.
  ///
  /// Deep colours become 8 bits; transparent places show black. An orientation that a camera noted is not applied.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - channels: What is wanted of its colours.
  /// - Returns: `[channels, height, width]`, `uint8`.
  /// - Throws: ``DataError`` naming the file, if it is missing, damaged, truncated, too large, or neither PNG nor JPEG.
  public static func read(_ path: FilePath, channels: Channels = .asStored) throws -> Tensor {
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch {
      throw DataError(code: .missingFile, message: "\(error)")
    }
    // The mapping must outlive what reads it.
    return try withExtendedLifetime(file) {
      let bytes = file.bytes
      if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
        return try PNGReader.read(bytes, channels) { malformed(path, "PNG", $0) }
      }
      if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
        return try JPEGReader.read(bytes, channels) { malformed(path, "JPEG", $0) }
      }
      throw DataError(code: .malformedFile, message: "\(path) is neither PNG nor JPEG")
    }
  }

  /// Writes an image as PNG: completely or not at all.
  ///
  /// - Parameters:
  ///   - image: `[channels, height, width]`, `uint8`, with 1 or 3 channels.
  ///   - path: The file; an earlier file of that name is replaced.
  /// - Throws: ``DataError`` if the tensor is no such image, `TensorError` if the system refuses the file.
  public static func writePNG(_ image: Tensor, to path: FilePath) throws {
    let shape = image.shape
    guard shape.count == 3, image.dtype == .uint8, shape[0] == 1 || shape[0] == 3,
      (1...mostPixels).contains(shape[1]), (1...mostPixels).contains(shape[2]),
      shape[1] * shape[2] <= mostPixels
    else {
      throw DataError(
        code: .invalidArgument,
        message: "an image is bytes [1 or 3, height, width], not \(image)"
      )
    }
    let pixels = try image.permuted(to: [1, 2, 0]).array(of: UInt8.self)
    let encoded = try PNGReader.encode(
      pixels,
      height: shape[1],
      width: shape[2],
      channels: shape[0]
    ) { DataError(code: .invalidArgument, message: "cannot write \(path): \($0)") }
    try AtomicFile.write(to: path) { writer in try encoded.withUnsafeBytes { try writer.write($0) }
    }
  }

  private static func malformed(_ path: FilePath, _ format: String, _ reason: String) -> DataError {
    DataError(
      code: .malformedFile,
      message: "\(path) is damaged or not an image that \(format) allows: \(reason)"
    )
  }

  /// `[height, width, channels]` as `[channels, height, width]`.
  static func tensor(_ pixels: [UInt8], height: Int, width: Int, channels: Int) throws -> Tensor {
    try pixels.withUnsafeBytes {
      try Tensor(bytes: $0, shape: [height, width, channels], dtype: .uint8)
    }
    .permuted(to: [2, 0, 1]).laidOut(as: .rowMajor)
  }

  /// Refuses sizes that no image of ours has.
  static func check(height: Int, width: Int, _ malformed: (String) -> DataError) throws {
    guard height >= 1, width >= 1, height <= mostPixels / width else {
      throw malformed("its size of \(width)×\(height) is not within 1 and \(mostPixels) pixels")
    }
  }
}

/// libpng by its simplified interface, whose errors are values: no jump crosses Swift's frames.
private enum PNGReader {
  static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ channels: ImageFile.Channels,
    _ malformed: (String) -> DataError
  ) throws -> Tensor {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    defer { png_image_free(&image) }
    guard png_image_begin_read_from_memory(&image, bytes.baseAddress, bytes.count) != 0 else {
      throw malformed(message(image))
    }
    let (height, width) = (Int(image.height), Int(image.width))
    try ImageFile.check(height: height, width: width, malformed)
    let hasColor = image.format & UInt32(PNG_FORMAT_FLAG_COLOR) != 0
    let isColor = channels == .rgb || (channels == .asStored && hasColor)
    image.format = isColor ? UInt32(PNG_FORMAT_FLAG_COLOR) : 0
    let count = isColor ? 3 : 1
    var pixels = [UInt8](repeating: 0, count: height * width * count)
    var black = png_color()
    guard png_image_finish_read(&image, &black, &pixels, 0, nil) != 0,
      // Warnings are about damage that was read over: a wrong checksum, missing rows.
      image.warning_or_error == 0
    else { throw malformed(message(image)) }
    return try ImageFile.tensor(pixels, height: height, width: width, channels: count)
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

private enum JPEGReader {
  static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ channels: ImageFile.Channels,
    _ malformed: (String) -> DataError
  ) throws -> Tensor {
    guard let decoder = tjInitDecompress() else { throw malformed("libjpeg-turbo does not start") }
    defer { tjDestroy(decoder) }
    let source = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
    let size = UInt(bytes.count)
    var (width, height, subsampling, colors) = (Int32(0), Int32(0), Int32(0), Int32(0))
    guard tjDecompressHeader3(decoder, source, size, &width, &height, &subsampling, &colors) == 0
    else { throw malformed(message(decoder)) }
    try ImageFile.check(height: Int(height), width: Int(width), malformed)
    let isStoredGrey = colors == Int32(TJCS_GRAY.rawValue)
    let isColor = channels == .rgb || (channels == .asStored && !isStoredGrey)
    let count = isColor ? 3 : 1
    var pixels = [UInt8](repeating: 0, count: Int(height) * Int(width) * count)
    let format = Int32((isColor ? TJPF_RGB : TJPF_GRAY).rawValue)
    // A truncated file is a mere warning to the decoder, with grey where nothing came.
    let flags = Int32(TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING)
    guard tjDecompress2(decoder, source, size, &pixels, width, 0, height, format, flags) == 0
    else { throw malformed(message(decoder)) }
    return try ImageFile.tensor(
      pixels,
      height: Int(height),
      width: Int(width),
      channels: count
    )
  }

  private static func message(_ decoder: tjhandle) -> String {
    String(cString: tjGetErrorStr2(decoder))
  }
}
