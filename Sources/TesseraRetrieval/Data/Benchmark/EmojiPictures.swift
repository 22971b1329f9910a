internal import SystemPackage
internal import TesseraCore
internal import TesseraData

/// The concepts as four artists draw them.
struct EmojiPictures {
  /// The pictures, by artist and then by concept.
  let pictures: [Picture]
  /// `[pictures, 3, size, size]`, `uint8`.
  let pixels: Tensor

  init(
    _ emoji: EmojiConcepts,
    font: EmojiFont,
    packages: RetrievalPackages,
    size: Int,
    _ progress: @Sendable (DatasetProgress) throws -> Void
  ) throws {
    var (pictures, drawn): ([Picture], [Tensor]) = ([], [])
    func add(_ artist: String, _ split: DatasetSplit, _ concepts: [Int], _ squares: [Tensor]) {
      pictures += concepts.map { Picture(concept: $0, artist: artist, split: split) }
      drawn += squares
    }
    let glyphs = emoji.glyphs.enumerated().compactMap { concept, glyph in
      font.png(of: glyph).map { (concept: concept, png: $0) }
    }
    let noto = try ParallelWork.map(glyphs.count, step: "reading Noto", progress: progress) {
      let (concept, png) = glyphs[$0]
      let image = try EmojiFont.decode(
        png,
        named: "\(packages.noto): \(emoji.concepts[concept].id)"
      )
      return try PictureShape.square(image, size: size)
    }
    add("noto", .train, glyphs.map(\.concept), noto)
    for (artist, title, folder) in [
      ("twemoji", "Twemoji", packages.twemoji), ("emojione", "EmojiOne", try packages.emojiOne()),
    ] {
      let files = try Self.files(in: folder, ending: ".png", of: emoji)
      let squares = try ParallelWork.map(
        files.count,
        step: "reading \(title)",
        progress: progress
      ) {
        let image = try ImageFile.read(files[$0].path, channels: .rgb, over: .white)
        return try PictureShape.square(image, size: size)
      }
      add(artist, .train, files.map(\.concept), squares)
    }
    let files = try Self.files(in: packages.openMoji, ending: ".svg", of: emoji)
    let renderer = try SVGRenderer()
    let rendered = try ParallelWork.map(
      files.count,
      step: "drawing OpenMoji",
      progress: progress
    ) { try Tensor(renderer.render(files[$0].path, size: size), shape: [3, size, size]) }
    add("openmoji", .test, files.map(\.concept), rendered)
    self.pictures = pictures
    pixels = try stack(drawn)
  }

  /// The files of a folder that show concepts, named by code points, as artists differ in which marks between them they write.
  private static func files(
    in folder: FilePath,
    ending: String,
    of emoji: EmojiConcepts
  ) throws -> [(concept: Int, path: FilePath)] {
    var files: [[UInt32]: String] = [:]
    for name in try RetrievalPackages.names(in: folder) where name.hasSuffix(ending) {
      let scalars = name.dropLast(ending.count).split(separator: "-").map { UInt32($0, radix: 16) }
      guard scalars.allSatisfy({ $0 != nil }) else { continue }
      files[essential(scalars.compactMap { $0 })] = name
    }
    return emoji.texts.enumerated().compactMap { concept, text in
      files[essential(text.unicodeScalars.map(\.value))].map { (concept, folder.appending($0)) }
    }
  }

  private static func essential(_ scalars: [UInt32]) -> [UInt32] {
    scalars.filter { $0 != EmojiConcepts.emojiStyle && $0 != EmojiConcepts.joiner }
  }
}
