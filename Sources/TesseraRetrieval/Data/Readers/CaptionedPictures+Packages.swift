internal import Foundation
internal import SystemPackage

extension CaptionedPictures {
  /// Tux Paint's stamps: 950 photographs and drawings with a sentence in each of up to 78 languages, translated by people.
  ///
  /// - Parameters:
  ///   - packages: Where they are; `nil` for those of this machine.
  ///   - leastTexts: How many sentences a language needs to count.
  /// - Returns: The stamps that have a picture, by their paths.
  /// - Throws: ``RetrievalError`` if they are not there.
  public static func tuxPaintStamps(
    _ packages: RetrievalPackages? = nil,
    leastTexts: Int = 500
  ) throws -> CaptionedPictures {
    let stamps = try StampCollection(packages ?? RetrievalPackages()) { _ in }.stamps
    let all = try CaptionedPictures(
      name: "tuxpaint",
      items: stamps.compactMap { stamp in
        stamp.picture.map { picture in
          Item(
            id: stamp.name,
            picture: picture,
            texts: [Text(language: "en", text: stamp.english)]
              + stamp.translations.map { Text(language: $0.language, text: $0.text) }
          )
        }
      }
    )
    var counts: [String: Int] = [:]
    for text in all.items.lazy.flatMap(\.texts) { counts[text.language, default: 0] += 1 }
    return try all.texts(in: counts.filter { $0.value >= leastTexts }.keys)
  }

  /// Art4Apps' drawings, which pySioGame has: 585 things with a word in each of 14 languages, Lakota among them.
  ///
  /// - Parameter packages: Where they are; `nil` for those of this machine.
  /// - Returns: The drawings by their names in English.
  /// - Throws: ``RetrievalError`` if they are not there, or a catalogue is damaged.
  public static func art4Apps(_ packages: RetrievalPackages? = nil) throws -> CaptionedPictures {
    let packages = try packages ?? RetrievalPackages()
    var words: [(language: String, words: [String: String])] = []
    for file in try RetrievalPackages.names(in: packages.drawingNames)
    where file.hasSuffix(".po") {
      guard let language = LanguageCode.cldr(String(file.dropLast(3))) else { continue }
      words.append((language, try POFile.messages(of: packages.drawingNames.appending(file))))
    }
    var items: [Item] = []
    for theme in try RetrievalPackages.names(in: packages.drawings) {
      let folder = packages.drawings.appending(theme)
      for file in try RetrievalPackages.names(in: folder) where file.hasSuffix(".jpg") {
        let stem = String(file.dropLast(4)).replacing("_", with: " ")
        let english = drawingsUnderOtherNames[stem] ?? stem
        items.append(
          Item(
            id: english,
            picture: folder.appending(file),
            texts: [Text(language: "en", text: english, kind: .name)]
              + words.compactMap { language, words in
                words[english].map { Text(language: language, text: $0, kind: .name) }
              }
          )
        )
      }
    }
    guard !items.isEmpty else {
      throw RetrievalError(code: .missingFile, message: "\(packages.drawings) has no drawing")
    }
    return try CaptionedPictures(name: "art4apps", items: items)
  }

  /// Files that are not called as what they show.
  private static let drawingsUnderOtherNames = [
    "ballet": "ballet dancer", "drink": "to drink", "magic": "magician", "office": "office worker",
    "police": "policeman", "sneaker": "trainer",
  ]
}

/// A catalogue of translations as people edit it (gettext manual, "The Format of PO Files").
enum POFile {
  /// The messages and their translations, without contexts, plural forms, doubtful ones and those that are not translated.
  ///
  /// - Throws: ``RetrievalError``, naming the file and the line, if it cannot be read or a text is not quoted.
  static func messages(of path: FilePath) throws -> [String: String] {
    enum Field { case none, original, translation }
    var messages: [String: String] = [:]
    var (field, original, translation, isDoubtful) = (Field.none, "", "", false)
    func finish() {
      if !original.isEmpty, !translation.isEmpty, !isDoubtful { messages[original] = translation }
      (field, original, translation, isDoubtful) = (.none, "", "", false)
    }
    try TextLines.read(path) { line, number in
      let line = line.trimmed
      if line.hasPrefix("#") {
        if field == .translation { finish() }
        if line.hasPrefix("#,"), line.contains("fuzzy") { isDoubtful = true }
        return
      }
      var rest = line[...]
      for (keyword, next) in [
        ("msgctxt", Field.none), ("msgid_plural", .none), ("msgid", .original),
        ("msgstr[0]", .translation), ("msgstr[", .none), ("msgstr", .translation),
      ] where line.hasPrefix(keyword) {
        if field == .translation, next == .original || keyword == "msgctxt" { finish() }
        field = next
        rest = line.firstIndex(of: "\"").map { line[$0...] } ?? line[line.endIndex...]
        break
      }
      if line.isEmpty { return }
      guard rest.count >= 2, rest.first == "\"", rest.last == "\"" else {
        throw JSONLines.malformed(path, number, "its text is not between quotation marks")
      }
      let text = unescaped(rest.dropFirst().dropLast())
      switch field {
      case .none: break
      case .original: original += text
      case .translation: translation += text
      }
    }
    finish()
    return messages
  }

  private static func unescaped(_ text: Substring) -> String {
    var (result, isEscaped) = ("", false)
    for character in text {
      if isEscaped {
        result.append(character == "n" ? "\n" : character == "t" ? "\t" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        result.append(character)
      }
    }
    return result
  }
}
