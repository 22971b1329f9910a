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
    func add(_ artist: String, _ split: DatasetSplit, _ concept: Int, _ image: Tensor) throws {
      pictures.append(Picture(concept: concept, artist: artist, split: split))
      drawn.append(try PictureShape.square(image, size: size))
    }
    for (concept, glyph) in emoji.glyphs.enumerated() {
      if let image = try font.picture(of: glyph) { try add("noto", .train, concept, image) }
      try progress(
        DatasetProgress(step: "drawing Noto", done: concept + 1, total: emoji.glyphs.count)
      )
    }
    for (artist, folder) in [
      ("twemoji", packages.twemoji), ("emojione", try packages.emojiOne()),
    ] {
      let files = try Self.files(in: folder, ending: ".png", of: emoji)
      for (number, file) in files.enumerated() {
        try add(
          artist,
          .train,
          file.concept,
          ImageFile.read(file.path, channels: .rgb, over: .white)
        )
        try progress(
          DatasetProgress(step: "reading \(artist)", done: number + 1, total: files.count)
        )
      }
    }
    let files = try Self.files(in: packages.openMoji, ending: ".svg", of: emoji)
    let renderer = try SVGRenderer()
    let rendered = try ParallelWork.map(
      files.count,
      step: "drawing OpenMoji",
      progress: progress
    ) { try renderer.render(files[$0].path, size: size) }
    for (file, image) in zip(files, rendered) {
      try add("openmoji", .test, file.concept, Tensor(image, shape: [3, size, size]))
    }
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

/// Pictures of any shape as squares of one size.
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
