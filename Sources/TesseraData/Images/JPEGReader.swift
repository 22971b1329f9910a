internal import CJPEG
internal import Foundation
internal import TesseraCore

/// libjpeg-turbo by its TurboJPEG interface, whose errors are values.
enum JPEGReader {
  static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ wish: ImageFile.Wish,
    _ malformed: (String) -> DataError
  ) throws -> Tensor {
    guard let decoder = tjInitDecompress() else { throw malformed("libjpeg-turbo does not start") }
    defer { tjDestroy(decoder) }
    let source = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
    let size = UInt(bytes.count)
    var (width, height, subsampling, colors) = (Int32(0), Int32(0), Int32(0), Int32(0))
    guard tjDecompressHeader3(decoder, source, size, &width, &height, &subsampling, &colors) == 0
    else { throw malformed(message(decoder)) }
    try wish.check(height: Int(height), width: Int(width), malformed)
    // How inks become light is a matter of profiles.
    guard colors != Int32(TJCS_CMYK.rawValue), colors != Int32(TJCS_YCCK.rawValue) else {
      throw malformed("it is for print, in CMYK: convert it to RGB")
    }
    // A block of 64 pixels takes a bit or more; the rest is room for arithmetic coding.
    guard Int(height) * Int(width) / 4096 <= bytes.count else {
      throw malformed("its size of \(width)×\(height) is more than the file can hold")
    }
    let isStoredGrey = colors == Int32(TJCS_GRAY.rawValue)
    let isColor =
      wish.channels == .rgb || (wish.channels == .asStored && !isStoredGrey)
    let format = Int32((isColor ? TJPF_RGB : TJPF_GRAY).rawValue)
    // A truncated file is a mere warning to the decoder, with grey where nothing came. Each scan of a progressive file is
    // work over the whole image: thousands of them in a few bytes would keep the decoder busy for minutes.
    let flags = Int32(TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS)
    var pixels = Pixels(height: Int(height), width: Int(width), channels: isColor ? 3 : 1)
    try pixels.decode { buffer in
      guard tjDecompress2(decoder, source, size, buffer, width, 0, height, format, flags) == 0
      else { throw malformed(message(decoder)) }
    }
    return try pixels.tensor()
  }

  private static func message(_ decoder: tjhandle) -> String {
    String(cString: tjGetErrorStr2(decoder))
  }
}
