internal import TesseraCore

/// The emoji that are concepts, divided into parts.
struct EmojiConcepts {
  /// The concepts, in the order of their code points.
  let concepts: [Concept]
  /// The emoji of each concept, without variation selectors.
  let texts: [String]
  /// The glyph of each concept.
  let glyphs: [UInt32]
  /// How many flags were left out because they look like another.
  let duplicateFlags: Int

  /// Territories that fly the flag of the state that they belong to.
  private static let territories: Set = ["BV", "CP", "DG", "EA", "HM", "MF", "SJ", "UM"]

  /// - Parameters:
  ///   - names: Say which emoji there are: those that have a name in English.
  ///   - font: Says which of them are one picture.
  ///   - dev: How many concepts are held out to choose settings by.
  ///   - test: How many concepts are held out to measure on.
  ///   - key: What the division is drawn by.
  /// - Throws: ``RetrievalError`` if there are too few.
  init(
    named names: EmojiNames,
    drawnBy font: EmojiFont,
    dev: Int,
    test: Int,
    key: RandomKey
  ) throws {
    var (found, duplicates): ([(scalars: [UInt32], text: String, glyph: UInt32)], Int) = ([], 0)
    for (text, annotation) in names["en"] where annotation.name != nil {
      let scalars = text.unicodeScalars.map(\.value).filter { $0 != Self.emojiStyle }
      guard !scalars.contains(where: Self.skinTones.contains), let glyph = font.glyph(of: text),
        font.hasPicture(glyph)
      else { continue }
      if let territory = Self.territory(scalars), Self.territories.contains(territory) {
        duplicates += 1
        continue
      }
      found.append((scalars, text, glyph))
    }
    found.sort { $0.scalars.lexicographicallyPrecedes($1.scalars) }
    let families = Dictionary(grouping: found.indices) { found[$0].scalars.filter(Self.isOfFamily) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
    var splits = [DatasetSplit](repeating: .train, count: found.count)
    var numbers = KeyedRandomNumbers(key: key)
    var (devLeft, testLeft) = (dev, test)
    for family in families.shuffled(using: &numbers) {
      // A family that is too large for what is left stays with those to train on.
      if family.count <= testLeft {
        testLeft -= family.count
        for member in family { splits[member] = .test }
      } else if family.count <= devLeft {
        devLeft -= family.count
        for member in family { splits[member] = .dev }
      } else if testLeft == 0, devLeft == 0 {
        break
      }
    }
    guard devLeft == 0, testLeft == 0, splits.contains(.train) else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(dev) and \(test) concepts cannot be held out of \(found.count)"
      )
    }
    concepts = zip(found, splits).map { Concept(id: Self.id($0.scalars), split: $1) }
    texts = found.map(\.text)
    glyphs = found.map(\.glyph)
    duplicateFlags = duplicates
  }

  /// The code points in hexadecimal, as files of emoji are named.
  static func id(_ scalars: [UInt32]) -> String {
    scalars.map { String($0, radix: 16, uppercase: true) }.joined(separator: "-")
  }

  /// The variation selector that asks for a picture.
  static let emojiStyle: UInt32 = 0xFE0F
  /// What joins emoji into one.
  static let joiner: UInt32 = 0x200D
  private static let skinTones: ClosedRange<UInt32> = 0x1F3FB...0x1F3FF
  private static let genders: Set<UInt32> = [0x2640, 0x2642]

  /// Whether a code point tells families apart: forms of one gender or another are of one family.
  private static func isOfFamily(_ scalar: UInt32) -> Bool {
    scalar != emojiStyle && scalar != joiner && !genders.contains(scalar)
  }

  /// The letters of a flag.
  private static func territory(_ scalars: [UInt32]) -> String? {
    let letters: ClosedRange<UInt32> = 0x1F1E6...0x1F1FF
    guard scalars.count == 2, scalars.allSatisfy(letters.contains) else { return nil }
    return String(
      String.UnicodeScalarView(
        scalars.compactMap { Unicode.Scalar(0x41 + $0 - letters.lowerBound) }
      )
    )
  }
}
