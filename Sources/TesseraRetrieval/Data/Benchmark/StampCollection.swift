internal import Foundation
internal import SystemPackage

/// Tux Paint's stamps: pictures with a sentence in up to 78 languages.
struct StampCollection {
  /// A stamp.
  struct Stamp {
    /// The file without its extension, below the folder of the stamps: `animals/birds/adelaide_rosella`.
    var name: String
    /// A PNG or SVG file, if there is one.
    var picture: FilePath?
    /// The sentence in English.
    var english: String
    /// The sentence in other languages, in the order of their codes.
    var translations: [(language: String, text: String)]
  }

  /// The stamps, in the order of their names.
  let stamps: [Stamp]

  /// Reads the stamps' texts.
  init(
    _ packages: RetrievalPackages,
    _ progress: @Sendable (DatasetProgress) throws -> Void
  ) throws {
    let root = packages.stamps
    let files = FileManager.default.subpaths(atPath: root.string) ?? []
    let known = Set(files)
    let texts = files.filter { $0.hasSuffix(".txt") }.sorted()
    guard !texts.isEmpty else {
      throw RetrievalError(code: .missingFile, message: "\(root) has no stamps")
    }
    stamps = try ParallelWork.map(texts.count, step: "reading stamps", progress: progress) {
      let name = String(texts[$0].dropLast(4))
      let picture = [".png", ".svg"].map { name + $0 }.first(where: known.contains)
      return try Self.stamp(name, root.appending(texts[$0]), picture.map { root.appending($0) })
    }.compactMap { $0 }
  }

  /// The English sentences with those in other languages.
  func pairs(source: String) -> [TextPair] {
    stamps.flatMap { stamp in
      stamp.translations.map { language, text in
        TextPair(language: language, source: source, left: stamp.english, right: text)
      }
    }
  }

  /// A stamp's texts: English in the first line, then lines as `de.utf8=Ein Vogel.`; `nil` if it has none.
  private static func stamp(_ name: String, _ path: FilePath, _ picture: FilePath?) throws -> Stamp?
  {
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(code: .missingFile, message: "\(path) cannot be read")
    }
    let lines = String(decoding: data, as: UTF8.self).split(
      omittingEmptySubsequences: false,
      whereSeparator: \.isNewline
    )
    guard let english = lines.first?.trimmed, !english.isEmpty else { return nil }
    var translations: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let mark = line.firstRange(of: ".utf8=") else { continue }
      let text = line[mark.upperBound...].trimmed
      guard let language = LanguageCode.cldr(line[..<mark.lowerBound].trimmed), !text.isEmpty else {
        continue
      }
      translations[language] = text
    }
    return Stamp(
      name: name,
      picture: picture,
      english: english,
      translations: translations.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    )
  }
}

/// The codes of languages that programs' catalogues use.
enum LanguageCode {
  private static let names = [
    "nb": "no", "zh_CN": "zh", "zh_TW": "zh_Hant", "pt_BR": "pt", "pt": "pt_PT",
    "sr@latin": "sr_Latn", "sr@Latn": "sr_Latn",
  ]

  /// The code that CLDR has for a locale of the GNU C library; `nil` for English.
  static func cldr(_ locale: String) -> String? {
    if locale == "en" || locale.hasPrefix("en_") || locale.hasPrefix("en@") { return nil }
    return names[locale] ?? locale.replacing("@", with: "_")
  }
}
