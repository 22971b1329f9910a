import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraTesting
import Testing

/// The font and the libraries that `./setup --tests` installs.
@Suite struct RenderingTests {
  private static let noto: FilePath = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"

  @Test func aSequenceThatTheFontKnowsIsOneGlyph() throws {
    let font = try EmojiFont(contentsOf: Self.noto)
    let bear = try #require(font.glyph(of: "🐻"))
    // A bear of ice is one glyph, and not the bear.
    #expect(try #require(font.glyph(of: "🐻‍❄️")) != bear)
    #expect(font.glyph(of: "🐻\u{FE0F}") == bear)
    #expect(font.glyph(of: "🐻🐻") == nil)
    #expect(font.glyph(of: "🐻\u{200D}🍕") == nil)
    #expect(font.glyph(of: "ツ") == nil)
    #expect(font.glyph(of: "") == nil)
    // A territory that flies another's flag: one picture, or two that are alike to the last pixel.
    let flags = try ["🇳🇴", "🇧🇻", "🇸🇪"].map { try #require(font.glyph(of: $0)) }
    let pictures = try flags.map { try #require(try font.picture(of: $0)) }
    #expect(try pictures[0].isIdentical(to: pictures[1]))
    #expect(try !pictures[0].isIdentical(to: pictures[2]))
  }

  @Test func aGlyphIsAPictureOnWhite() throws {
    let font = try EmojiFont(contentsOf: Self.noto)
    let glyph = try #require(font.glyph(of: "🔴"))
    let picture = try #require(try font.picture(of: glyph))
    #expect(picture.shape == [3, 128, 136])
    let pixels = try picture.to(.float32)
    func color(_ y: Int, _ x: Int) throws -> [Float] {
      try pixels.slice(at: y, along: 1).slice(at: x, along: 1).array(of: Float.self)
    }
    #expect(try color(0, 0) == [255, 255, 255])
    let middle = try color(64, 68)
    #expect(middle[0] > 200 && middle[1] < 100 && middle[2] < 100)
  }

  @Test func whatIsNoFontOfPicturesIsRefused() throws {
    let folder = try TemporaryFolder()
    let text = try folder.file("font.ttf", Array("no font at all".utf8))
    do { _ = try EmojiFont(contentsOf: text) } catch let error as RetrievalError {
      #expect(error.code == .malformedFile && error.message.contains("font.ttf"))
    }
    #expect(throws: RetrievalError.self) { try EmojiFont(contentsOf: text) }
    #expect(throws: RetrievalError.self) { try EmojiFont(contentsOf: "/nowhere.ttf") }
  }

  private func svg(_ body: String, _ size: String = "width='72' height='72'") -> [UInt8] {
    Array("<svg xmlns='http://www.w3.org/2000/svg' \(size) viewBox='0 0 72 72'>\(body)</svg>".utf8)
  }

  @Test func anSVGIsDrawnOnWhite() throws {
    let folder = try TemporaryFolder()
    let renderer = try SVGRenderer()
    #expect(renderer.version.split(separator: ".").count == 3)
    let file = try folder.file(
      "half.svg",
      svg("<rect x='36' width='36' height='72' fill='#ff8000' fill-opacity='0.5'/>")
    )
    let pixels = try renderer.render(file, size: 8)
    #expect(pixels.count == 3 * 64)
    func color(_ y: Int, _ x: Int) -> [UInt8] { (0..<3).map { pixels[$0 * 64 + y * 8 + x] } }
    #expect(color(3, 0) == [255, 255, 255])
    #expect(color(3, 3) == [255, 255, 255])
    // Half of orange, half of white.
    let half = color(3, 4)
    #expect(half[0] == 255 && abs(Int(half[1]) - 191) <= 1 && abs(Int(half[2]) - 127) <= 1)
    #expect(try renderer.render(file, size: 8) == pixels)
  }

  @Test func whatIsNoSVGIsRefused() throws {
    let folder = try TemporaryFolder()
    let renderer = try SVGRenderer()
    func error(_ bytes: [UInt8]) throws -> RetrievalError? {
      let file = try folder.file("broken.svg", bytes)
      do { _ = try renderer.render(file, size: 8) } catch let error as RetrievalError {
        return error
      }
      return nil
    }
    #expect(try error([])?.code == .malformedFile)
    #expect(try error(Array("no drawing".utf8))?.message.contains("broken.svg") == true)
    #expect(try error(svg("<rect").dropLast(9))?.code == .malformedFile)
    #expect(throws: RetrievalError.self) { try renderer.render("/nowhere.svg", size: 8) }
  }
}
