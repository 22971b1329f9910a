internal import Foundation
public import SystemPackage
internal import TesseraRun

extension CaptionedPictures {
  /// Reads a table of pictures and texts, a text a row.
  ///
  /// A `.csv` file, a `.tsv` file or a `.jsonl` file, each also compressed as `….gz`. Its columns, or its objects' fields, are `picture`
  /// (or `image`, `path`), a path below the folder of the pictures; `text` (or `caption`), which may be empty; and, if there is one, `language`.
  /// The rows of one picture need not follow one another.
  ///
  /// - Parameters:
  ///   - path: The table.
  ///   - pictures: The folder that paths start from; `nil` for the table's.
  /// - Returns: The collection, called as the file is.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it is missing, damaged, or lacks a column.
  public static func table(
    _ path: FilePath,
    pictures: FilePath? = nil
  ) throws -> CaptionedPictures {
    let pictures = pictures ?? path.removingLastComponent()
    var name = path.lastComponent?.string ?? path.string
    if name.hasSuffix(".gz") { name.removeLast(3) }
    var texts = PictureTexts()
    try TableFile.read(path, withOneOf: TableFile.pictureNames) { row in
      guard let picture = row.text(TableFile.pictureNames), !picture.isEmpty else {
        throw JSONLines.malformed(path, row.line, "it names no 'picture'")
      }
      let text = row.text(TableFile.textNames).flatMap { $0.isEmpty ? nil : $0 }
      let language = row.text(["language"]).flatMap { $0.isEmpty ? nil : $0 } ?? undetermined
      texts.add(text.map { Text(language: language, text: $0) }, to: picture) {
        pictures.appending(picture)
      }
    }
    guard texts.items.isEmpty || texts.items.contains(where: { !$0.texts.isEmpty }) else {
      throw JSONLines.malformed(path, 1, "no row has a 'text'")
    }
    return try CaptionedPictures(name: name, items: texts.items)
  }

  /// Reads a folder of pictures, in it and in folders below it.
  ///
  /// The texts of `bear.jpg` are the lines of `bear.txt`, and of `bear.de.txt` in German; a picture need not have any. Pictures are files
  /// that end with `.png`, `.jpg` or `.jpeg`; what begins with a dot is left out.
  ///
  /// - Parameter folder: The folder.
  /// - Returns: The pictures in the order of their paths, which are their identifiers.
  /// - Throws: ``RetrievalError``, naming the file, if the folder cannot be read or holds no picture, or a text is not UTF-8.
  public static func folder(_ folder: FilePath) throws -> CaptionedPictures {
    let visible = try PictureFolder.files(in: folder)
    var texts: [String: [(language: String, file: String)]] = [:]
    for file in visible where file.hasSuffix(".txt") {
      let path = FilePath(file)
      guard var name = path.lastComponent?.stem else { continue }
      let parent = path.removingLastComponent()
      func add(_ name: String, _ language: String) {
        texts[parent.appending(name).string, default: []].append((language, file))
      }
      add(name, undetermined)
      // `bear.de.txt` is the German text of `bear.jpg`, and the text of `bear.de.jpg`.
      if let dot = name.lastIndex(of: ".") {
        let language = String(name[name.index(after: dot)...])
        name = String(name[..<dot])
        if !language.isEmpty { add(name, language) }
      }
    }
    let items = try visible.compactMap { file -> Item? in
      let path = FilePath(file)
      guard PictureFolder.isPicture(file), let stem = path.stem else { return nil }
      let own = texts[path.removingLastComponent().appending(stem).string] ?? []
      return Item(
        id: file,
        picture: folder.appending(file),
        texts: try own.flatMap { language, text in
          try TextLines.all(of: folder.appending(text)).filter { !$0.isEmpty }
            .map { Text(language: language, text: $0) }
        }
      )
    }
    guard !items.isEmpty else {
      throw RetrievalError(code: .missingFile, message: "\(folder) holds no PNG or JPEG file")
    }
    return try CaptionedPictures(
      name: folder.lastComponent?.string ?? folder.string,
      items: items
    )
  }
}
