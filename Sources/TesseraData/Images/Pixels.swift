internal import TesseraCore

/// An image as decoders write it: row by row, the channels of a pixel side by side.
struct Pixels {
  let height: Int
  let width: Int
  let channels: Int
  private var bytes: [UInt8] = []

  init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  /// Gives memory for all pixels to a decoder, which fills it or throws.
  ///
  /// The memory is not touched before, so that a file that claims much and holds little costs little.
  mutating func decode(_ body: (UnsafeMutablePointer<UInt8>?) throws -> Void) rethrows {
    let count = height * width * channels
    bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      try body(buffer.baseAddress)
      initialized = count
    }
  }

  /// Without the last channel, alpha: the others are mixed with the backdrop by it.
  consuming func over(_ backdrop: ImageFile.Backdrop) -> Pixels {
    let light = backdrop == .white ? 255 : 0
    let colors = channels - 1
    let mixed = bytes
    var opaque = Pixels(height: height, width: width, channels: colors)
    opaque.bytes.reserveCapacity(height * width * colors)
    for start in stride(from: 0, to: mixed.count, by: channels) {
      let alpha = Int(mixed[start + colors])
      for value in mixed[start..<start + colors] {
        opaque.bytes.append(UInt8((Int(value) * alpha + light * (255 - alpha) + 127) / 255))
      }
    }
    return opaque
  }

  /// The luminance of ITU-R BT.601 in 16 bits after the point, as JPEG has it.
  consuming func grey() -> Pixels {
    guard channels == 3 else { return self }
    let colors = bytes
    var grey = Pixels(height: height, width: width, channels: 1)
    grey.bytes = [UInt8](unsafeUninitializedCapacity: height * width) { buffer, initialized in
      for pixel in buffer.indices {
        let (red, green, blue) = (colors[3 * pixel], colors[3 * pixel + 1], colors[3 * pixel + 2])
        let sum = 19595 * UInt32(red) + 38470 * UInt32(green) + 7471 * UInt32(blue)
        buffer[pixel] = UInt8(truncatingIfNeeded: (sum + 0x8000) >> 16)
      }
      initialized = buffer.count
    }
    return grey
  }

  /// `[channels, height, width]`.
  consuming func tensor() throws -> Tensor {
    let interleaved = try bytes.withUnsafeBytes {
      try Tensor(bytes: $0, shape: [height, width, channels], dtype: .uint8)
    }
    // One copy less while the next is made.
    bytes = []
    return try interleaved.permuted(to: [2, 0, 1]).laidOut(as: .rowMajor)
  }
}
