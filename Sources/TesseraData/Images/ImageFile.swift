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

  /// What shows where an image is transparent.
  public enum Backdrop: String, Hashable, Sendable, CaseIterable {
    /// Nothing: black.
    case black
    /// Paper: white.
    case white
  }

  /// The most pixels that an image may have: 2^28, a square of 16,384.
  ///
  /// A file of a few bytes can claim billions.
  public static let mostPixels = 1 << 28

  /// Reads an image.
  ///
  /// What it is, its first bytes say, not its name. Only the pixels are read: no gamma, colour profile or orientation that
  /// the file notes is applied, so that equal numbers in a file are equal numbers here.
  ///
  /// 16 bits become the nearest 8. What is transparent shows the backdrop, in proportion. Grey made of colours is
  /// `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), for both formats. A JPEG for print, in CMYK or YCCK, is refused.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - channels: What is wanted of its colours.
  ///   - backdrop: What shows where it is transparent.
  ///   - pixels: How many pixels it may have, at most ``mostPixels``.
  /// - Returns: `[channels, height, width]`, `uint8`.
  /// - Throws: ``DataError`` naming the file, if it is missing, damaged, truncated, too large, or neither PNG nor JPEG.
  public static func read(
    _ path: FilePath,
    channels: Channels = .asStored,
    over backdrop: Backdrop = .black,
    atMost pixels: Int = mostPixels
  ) throws -> Tensor {
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch {
      throw DataError(code: .missingFile, message: "\(error)")
    }
    // The mapping must outlive what reads it.
    return try withExtendedLifetime(file) {
      try decode(
        file.bytes,
        named: path.string,
        channels: channels,
        over: backdrop,
        atMost: pixels
      )
    }
  }

  /// Decodes an image whose file is in memory, as ``read(_:channels:over:atMost:)`` does.
  ///
  /// - Parameters:
  ///   - bytes: The file.
  ///   - name: What errors call it.
  ///   - channels: What is wanted of its colours.
  ///   - backdrop: What shows where it is transparent.
  ///   - pixels: How many pixels it may have, at most ``mostPixels``.
  /// - Returns: `[channels, height, width]`, `uint8`.
  /// - Throws: ``DataError`` if it is damaged, truncated, too large, or neither PNG nor JPEG.
  public static func decode(
    _ bytes: UnsafeRawBufferPointer,
    named name: String,
    channels: Channels = .asStored,
    over backdrop: Backdrop = .black,
    atMost pixels: Int = mostPixels
  ) throws -> Tensor {
    let wish = Wish(channels: channels, backdrop: backdrop, pixels: min(pixels, mostPixels))
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
      return try PNGCoder.read(bytes, wish) { malformed(name, "PNG", $0) }
    }
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      return try JPEGReader.read(bytes, wish) { malformed(name, "JPEG", $0) }
    }
    throw DataError(code: .malformedFile, message: "\(name) is neither PNG nor JPEG")
  }

  /// Resizes images, each new pixel the average of those that it covers.
  ///
  /// - Parameters:
  ///   - images: `[batch, channels, height, width]` or `[channels, height, width]`, `uint8`.
  ///   - height: The new height.
  ///   - width: The new width.
  /// - Returns: The images at that size, `uint8`.
  /// - Throws: `TensorError` if these are no images or no size.
  public static func resized(_ images: Tensor, height: Int, width: Int) throws -> Tensor {
    let shape = images.shape
    if shape.suffix(2) == [height, width] { return images }
    let batch = shape.count == 3 ? try images.unsqueezed(0) : images
    var numbers: Tensor
    if batch.shape.count == 4, batch.shape[2] * batch.shape[3] > largestAtOnce,
      batch.shape[3] > width
    {
      // As floats, all of a large picture would take four times its memory: first the widths, by bands, then the heights.
      let rows = max(1, largestAtOnce / batch.shape[3])
      let bands = try stride(from: 0, to: batch.shape[2], by: rows).map { start in
        let band = try batch.slices(in: start..<min(batch.shape[2], start + rows), along: 2)
        return try averaged(band.to(.float32), height: band.shape[2], width: width)
      }
      numbers = try averaged(concatenate(bands, along: 2), height: height, width: width)
    } else {
      numbers = try averaged(batch.to(.float32), height: height, width: width)
    }
    numbers = try numbers.rounded().clamped(from: 0, to: 255).to(.uint8)
    return shape.count == 3 ? try numbers.squeezed(0) : numbers
  }

  /// How many pixels of an image are made floats at a time.
  private static let largestAtOnce = 1 << 21

  /// The operator that averages over all pixels a new one covers: plain interpolation would skip some.
  private static func averaged(_ images: Tensor, height: Int, width: Int) throws -> Tensor {
    try Tensor.call(
      "aten::_upsample_bilinear2d_aa",
      .tensor(images),
      .ints([height, width]),
      .bool(false)
    ).single()
  }

  /// Writes an image as PNG: completely or not at all.
  ///
  /// - Parameters:
  ///   - image: `[channels, height, width]`, `uint8`, with 1 or 3 channels.
  ///   - path: The file; an earlier file of that name is replaced.
  /// - Throws: ``DataError`` if the tensor is no such image, `TensorError` if the system refuses the file.
  public static func writePNG(_ image: Tensor, to path: FilePath) throws {
    let encoded = try png(image)
    try AtomicFile.write(to: path) { writer in try encoded.withUnsafeBytes { try writer.write($0) }
    }
  }

  /// An image as the bytes of a PNG file.
  ///
  /// - Parameter image: `[channels, height, width]`, `uint8`, with 1 or 3 channels.
  /// - Returns: The file.
  /// - Throws: ``DataError`` if the tensor is no such image.
  public static func png(_ image: Tensor) throws -> [UInt8] {
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
    return try PNGCoder.encode(
      pixels,
      height: shape[1],
      width: shape[2],
      channels: shape[0]
    ) { DataError(code: .invalidArgument, message: "an image cannot become PNG: \($0)") }
  }

  private static func malformed(_ name: String, _ format: String, _ reason: String) -> DataError {
    DataError(
      code: .malformedFile,
      message: "\(name) is damaged or not an image that \(format) allows: \(reason)"
    )
  }

  /// What is wanted of an image that is read.
  struct Wish {
    let channels: Channels
    let backdrop: Backdrop
    /// The most pixels.
    let pixels: Int

    /// Refuses sizes that no image may have.
    func check(height: Int, width: Int, _ malformed: (String) -> DataError) throws {
      guard height >= 1, width >= 1, height <= pixels / width else {
        throw malformed("its size of \(width)×\(height) is not within 1 and \(pixels) pixels")
      }
    }
  }
}
