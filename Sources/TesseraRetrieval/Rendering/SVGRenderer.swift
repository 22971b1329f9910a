internal import Foundation
public import SystemPackage

/// Draws SVG files, through librsvg and Cairo.
///
/// Files that a drawing refers to are not read.
public struct SVGRenderer: Sendable {
  private let library: RSVG

  /// Opens the library.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/missingFile`` if it is not there.
  public init() throws {
    library = try RSVG()
  }

  /// The version of the library, by which pixels may differ.
  public var version: String {
    [library.major, library.minor, library.micro].map { "\($0.pointee)" }.joined(separator: ".")
  }

  /// Draws a file into a square, on white; what is not square is centred.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - size: The height and width, in pixels.
  /// - Returns: `[3, size, size]`: all red values row by row, then green, then blue.
  /// - Throws: ``RetrievalError``, naming the file, if it is missing or no SVG that can be drawn.
  public func render(_ path: FilePath, size: Int) throws -> [UInt8] {
    precondition((1...4096).contains(size), "a picture cannot have \(size) rows")
    guard let file = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(code: .missingFile, message: "\(path) cannot be read")
    }
    let surface = library.surface(RSVG.formatRGB, Int32(size), Int32(size))
    defer { library.destroySurface(surface) }
    let canvas = library.canvas(surface)
    defer { library.destroyCanvas(canvas) }
    library.setColor(canvas, 1, 1, 1)
    library.paint(canvas)
    let handle = file.withUnsafeBytes {
      library.open($0.assumingMemoryBound(to: UInt8.self).baseAddress, UInt($0.count), nil)
    }
    guard let handle else { throw malformed(path) }
    defer { library.release(handle) }
    var viewport = RSVG.Rectangle(x: 0, y: 0, width: Double(size), height: Double(size))
    guard library.draw(handle, canvas, &viewport, nil) != 0, library.status(canvas) == 0 else {
      throw malformed(path)
    }
    library.flush(surface)
    let stride = Int(library.stride(surface))
    guard let rows = library.pixels(surface) else { throw malformed(path) }
    return [UInt8](unsafeUninitializedCapacity: 3 * size * size) { planes, count in
      for y in 0..<size {
        for x in 0..<size {
          let pixel = UnsafeRawPointer(rows + y * stride + 4 * x).load(as: UInt32.self)
          for channel in 0..<3 {
            planes[(channel * size + y) * size + x] = UInt8(
              truncatingIfNeeded: pixel >> (16 - 8 * UInt32(channel))
            )
          }
        }
      }
      count = planes.count
    }
  }

  private func malformed(_ path: FilePath) -> RetrievalError {
    RetrievalError(code: .malformedFile, message: "\(path) is no SVG that can be drawn")
  }
}

/// The functions of librsvg, and of Cairo and GObject beneath it, that drawing needs, as their headers declare them.
private struct RSVG: @unchecked Sendable {
  /// `RsvgRectangle`.
  struct Rectangle {
    var x, y, width, height: Double
  }

  /// `CAIRO_FORMAT_RGB24`: a pixel is 32 bits, the lower 24 are red, green and blue.
  static let formatRGB: Int32 = 1

  let major, minor, micro: UnsafePointer<UInt32>
  let open:
    @convention(c) (UnsafePointer<UInt8>?, UInt, UnsafeMutablePointer<OpaquePointer?>?) ->
      OpaquePointer?
  let draw:
    @convention(c) (
      OpaquePointer, OpaquePointer, UnsafeRawPointer, UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32
  let release: @convention(c) (OpaquePointer) -> Void
  let surface: @convention(c) (Int32, Int32, Int32) -> OpaquePointer
  let destroySurface: @convention(c) (OpaquePointer) -> Void
  let flush: @convention(c) (OpaquePointer) -> Void
  let stride: @convention(c) (OpaquePointer) -> Int32
  let pixels: @convention(c) (OpaquePointer) -> UnsafeMutablePointer<UInt8>?
  let canvas: @convention(c) (OpaquePointer) -> OpaquePointer
  let destroyCanvas: @convention(c) (OpaquePointer) -> Void
  let status: @convention(c) (OpaquePointer) -> Int32
  let setColor: @convention(c) (OpaquePointer, Double, Double, Double) -> Void
  let paint: @convention(c) (OpaquePointer) -> Void

  init() throws {
    let library = try SharedLibrary("librsvg-2.so.2", package: "librsvg2-2")
    major = try library.symbol("rsvg_major_version")
    minor = try library.symbol("rsvg_minor_version")
    micro = try library.symbol("rsvg_micro_version")
    open = try library.symbol("rsvg_handle_new_from_data")
    draw = try library.symbol("rsvg_handle_render_document")
    release = try library.symbol("g_object_unref")
    surface = try library.symbol("cairo_image_surface_create")
    destroySurface = try library.symbol("cairo_surface_destroy")
    flush = try library.symbol("cairo_surface_flush")
    stride = try library.symbol("cairo_image_surface_get_stride")
    pixels = try library.symbol("cairo_image_surface_get_data")
    canvas = try library.symbol("cairo_create")
    destroyCanvas = try library.symbol("cairo_destroy")
    status = try library.symbol("cairo_status")
    setColor = try library.symbol("cairo_set_source_rgb")
    paint = try library.symbol("cairo_paint")
  }
}
