internal import Foundation
public import SystemPackage
public import TesseraCore
internal import TesseraData

/// A font whose glyphs are PNG pictures, as Noto Color Emoji's are (OpenType's tables CBDT and CBLC), read through HarfBuzz.
public final class EmojiFont {
  private let library: HarfBuzz
  private let font: OpaquePointer
  private let buffer: OpaquePointer
  private let path: FilePath

  /// Opens a font.
  ///
  /// - Throws: ``RetrievalError`` if the file or HarfBuzz is missing, or it has no pictures.
  public init(contentsOf path: FilePath) throws {
    let library = try HarfBuzz()
    guard let blob = library.blobFromFile(path.string) else {
      throw RetrievalError(code: .missingFile, message: "the font \(path) cannot be read")
    }
    defer { library.destroyBlob(blob) }
    let face = library.face(blob, 0)
    defer { library.destroyFace(face) }
    // HarfBuzz makes a face of anything.
    guard library.glyphCount(face) > 0, library.hasPictures(face) != 0 else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) is no font whose glyphs are pictures"
      )
    }
    self.path = path
    self.library = library
    font = library.font(face)
    buffer = library.buffer()
  }

  deinit {
    library.destroyBuffer(buffer)
    library.destroyFont(font)
  }

  /// The number of the glyph that a text is drawn as; `nil` if it takes several, or the font has none.
  public func glyph(of text: String) -> UInt32? {
    library.resetBuffer(buffer)
    // Marks that only choose a form leave no glyph behind.
    library.setFlags(buffer, HarfBuzz.removesIgnorable)
    var text = text
    text.withUTF8 { bytes in
      let count = Int32(truncatingIfNeeded: bytes.count)
      bytes.withMemoryRebound(to: CChar.self) {
        library.addText(buffer, $0.baseAddress, count, 0, count)
      }
    }
    library.guessProperties(buffer)
    library.shape(font, buffer, nil, 0)
    var count: UInt32 = 0
    guard let glyphs = library.glyphs(buffer, &count), count == 1 else { return nil }
    let glyph = glyphs.load(as: HarfBuzz.Glyph.self).glyph
    // What the font lacks is drawn as its first glyph.
    return glyph == 0 ? nil : glyph
  }

  /// Whether a glyph has a picture.
  public func hasPicture(_ glyph: UInt32) -> Bool { withPNG(of: glyph) { $0 != nil } }

  /// The picture of a glyph, on white.
  ///
  /// - Returns: `[3, height, width]`, `uint8`; `nil` if the glyph has no picture.
  /// - Throws: `DataError` if the picture is damaged.
  public func picture(of glyph: UInt32) throws -> Tensor? {
    try png(of: glyph).map { try Self.decode($0, named: "glyph \(glyph) of \(path)") }
  }

  /// The PNG file of a glyph; `nil` if the glyph has no picture.
  func png(of glyph: UInt32) -> [UInt8]? { withPNG(of: glyph) { $0.map(Array.init) } }

  private func withPNG<Result>(
    of glyph: UInt32,
    _ body: (UnsafeRawBufferPointer?) -> Result
  ) -> Result {
    let blob = library.png(font, glyph)
    defer { library.destroyBlob(blob) }
    var count: UInt32 = 0
    guard let data = library.data(blob, &count), count > 0 else { return body(nil) }
    return body(UnsafeRawBufferPointer(start: data, count: Int(count)))
  }

  /// The picture that the PNG file of a glyph holds, on white.
  static func decode(_ png: [UInt8], named name: String) throws -> Tensor {
    try png.withUnsafeBytes {
      try ImageFile.decode($0, named: name, channels: .rgb, over: .white)
    }
  }
}

/// The functions of HarfBuzz that an ``EmojiFont`` needs, as `hb.h` and `hb-ot.h` declare them.
private struct HarfBuzz {
  /// `hb_glyph_info_t`.
  struct Glyph {
    var glyph: UInt32
    var mask: UInt32
    var cluster: UInt32
    var reserved: (UInt32, UInt32)
  }

  /// `HB_BUFFER_FLAG_REMOVE_DEFAULT_IGNORABLES`.
  static let removesIgnorable: UInt32 = 8

  let blobFromFile: @convention(c) (UnsafePointer<CChar>) -> OpaquePointer?
  let data: @convention(c) (OpaquePointer, UnsafeMutablePointer<UInt32>) -> UnsafeRawPointer?
  let destroyBlob: @convention(c) (OpaquePointer) -> Void
  let face: @convention(c) (OpaquePointer, UInt32) -> OpaquePointer
  let glyphCount: @convention(c) (OpaquePointer) -> UInt32
  let hasPictures: @convention(c) (OpaquePointer) -> Int32
  let destroyFace: @convention(c) (OpaquePointer) -> Void
  let font: @convention(c) (OpaquePointer) -> OpaquePointer
  let destroyFont: @convention(c) (OpaquePointer) -> Void
  let buffer: @convention(c) () -> OpaquePointer
  let resetBuffer: @convention(c) (OpaquePointer) -> Void
  let destroyBuffer: @convention(c) (OpaquePointer) -> Void
  let setFlags: @convention(c) (OpaquePointer, UInt32) -> Void
  let addText: @convention(c) (OpaquePointer, UnsafePointer<CChar>?, Int32, UInt32, Int32) -> Void
  let guessProperties: @convention(c) (OpaquePointer) -> Void
  let shape: @convention(c) (OpaquePointer, OpaquePointer, UnsafeRawPointer?, UInt32) -> Void
  let glyphs: @convention(c) (OpaquePointer, UnsafeMutablePointer<UInt32>) -> UnsafeRawPointer?
  let png: @convention(c) (OpaquePointer, UInt32) -> OpaquePointer

  init() throws {
    let library = try SharedLibrary("libharfbuzz.so.0", package: "libharfbuzz0b")
    blobFromFile = try library.symbol("hb_blob_create_from_file_or_fail")
    data = try library.symbol("hb_blob_get_data")
    destroyBlob = try library.symbol("hb_blob_destroy")
    face = try library.symbol("hb_face_create")
    glyphCount = try library.symbol("hb_face_get_glyph_count")
    hasPictures = try library.symbol("hb_ot_color_has_png")
    destroyFace = try library.symbol("hb_face_destroy")
    font = try library.symbol("hb_font_create")
    destroyFont = try library.symbol("hb_font_destroy")
    buffer = try library.symbol("hb_buffer_create")
    resetBuffer = try library.symbol("hb_buffer_reset")
    destroyBuffer = try library.symbol("hb_buffer_destroy")
    setFlags = try library.symbol("hb_buffer_set_flags")
    addText = try library.symbol("hb_buffer_add_utf8")
    guessProperties = try library.symbol("hb_buffer_guess_segment_properties")
    shape = try library.symbol("hb_shape")
    glyphs = try library.symbol("hb_buffer_get_glyph_infos")
    png = try library.symbol("hb_ot_color_glyph_reference_png")
  }
}
