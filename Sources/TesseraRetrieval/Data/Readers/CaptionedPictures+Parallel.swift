internal import Foundation
public import SystemPackage

extension CaptionedPictures {
  /// Reads files of texts that speak of the same pictures in the same order, a line each.
  ///
  /// - Parameters:
  ///   - name: What the collection is called.
  ///   - list: A file with a picture's name a line.
  ///   - texts: Files by language; a language may have several.
  ///   - pictures: The folder of the pictures.
  /// - Returns: The pictures in the order of the list.
  /// - Throws: ``RetrievalError``, naming the file, if one is missing, or has another number of lines than the list.
  static func parallel(
    _ name: String,
    list: FilePath,
    texts: [(language: String, path: FilePath)],
    pictures: FilePath
  ) throws -> CaptionedPictures {
    let names = try TextLines.all(of: list)
    guard !texts.isEmpty else {
      throw RetrievalError(
        code: .missingFile,
        message: "\(list.removingLastComponent()) has no texts of \(name)"
      )
    }
    var items = names.map { name in
      Item(id: name, picture: pictures.appending(name), texts: [])
    }
    for (language, path) in texts {
      let lines = try TextLines.all(of: path)
      guard lines.count == names.count else {
        throw RetrievalError(
          code: .malformedFile,
          message: "\(path) has \(lines.count) lines, but \(list) names \(names.count) pictures"
        )
      }
      for (number, line) in lines.enumerated() where !line.isEmpty {
        items[number].texts.append(Text(language: language, text: line))
      }
    }
    return try CaptionedPictures(name: name, items: items)
  }

  /// The two kinds of texts that Multi30K has.
  public enum Multi30KTask: Int, Sendable, Hashable, CaseIterable {
    /// A text in English for each picture, and its translations.
    case translation = 1
    /// Five texts for each picture in English and in German, written independently.
    case description = 2
  }

  /// Reads [Multi30K](https://github.com/multi30k/dataset), in the layout of its repository.
  ///
  /// - Parameters:
  ///   - repository: The folder with `data/task1/raw/train.de.gz` and its like; they may be unpacked.
  ///   - split: `train`, `val`, `test_2016_flickr`, … for translations; `train`, `val` or `test_2016` for descriptions.
  ///   - task: Which texts.
  ///   - pictures: The folder of Flickr30K's pictures.
  /// - Returns: The pictures of the split, with texts in the languages that are there.
  /// - Throws: ``RetrievalError``, naming the file that is missing or does not fit the list of pictures.
  public static func multi30K(
    _ repository: FilePath,
    split: String,
    task: Multi30KTask = .translation,
    pictures: FilePath
  ) throws -> CaptionedPictures {
    let folder = repository.appending("data/task\(task.rawValue)")
    let raw = folder.appending("raw")
    let list = task == .translation ? "\(split).txt" : "\(split)_images.txt"
    let texts = try RetrievalPackages.names(in: raw).compactMap { file -> (String, FilePath)? in
      // train.de.gz, or train.1.de.gz.
      var parts = file.split(separator: ".", omittingEmptySubsequences: false)
      if parts.last == "gz" { parts.removeLast() }
      guard parts.first.map(String.init) == split,
        parts.count == (task == .translation ? 2 : 3), let language = parts.last
      else { return nil }
      return (String(language), raw.appending(file))
    }
    return try parallel(
      "Multi30K \(split)",
      list: folder.appending("image_splits").appending(list),
      texts: texts,
      pictures: pictures
    )
  }

  /// Reads [XTD10](https://github.com/adobe-research/Cross-lingual-Test-Dataset-XTD10), in the layout of its repository.
  ///
  /// - Parameters:
  ///   - repository: The folder with `XTD10/test_image_names.txt`, `XTD10/test_1kcaptions_es.txt` and its like; German, French and
  ///     Japanese are in the folders `MIC` and `STAIR` beside it.
  ///   - pictures: The folder with COCO's pictures `COCO_train2014_….jpg` and `COCO_val2014_….jpg`.
  /// - Returns: 1,000 pictures with a text in each language; Japanese, `jp` there, is `ja` here.
  /// - Throws: ``RetrievalError``, naming the file that is missing or does not fit the list of pictures.
  public static func xtd10(_ repository: FilePath, pictures: FilePath) throws -> CaptionedPictures {
    let (start, end) = ("test_1kcaptions_", ".txt")
    var texts: [(language: String, path: FilePath)] = []
    for folder in ["XTD10", "MIC", "STAIR"].map({ repository.appending($0) }) {
      for file in (try? RetrievalPackages.names(in: folder)) ?? []
      where file.hasPrefix(start) && file.hasSuffix(end) {
        let code = String(file.dropFirst(start.count).dropLast(end.count))
        let language = code == "jp" ? "ja" : code
        // English is there twice.
        if !texts.contains(where: { $0.language == language }) {
          texts.append((language, folder.appending(file)))
        }
      }
    }
    return try parallel(
      "XTD10",
      list: repository.appending("XTD10/test_image_names.txt"),
      texts: texts.sorted { $0.language < $1.language },
      pictures: pictures
    )
  }

  /// Reads [XTD200 or Flickr30K-200](https://github.com/visheratin/nllb-clip): XTD10's and Flickr30K's texts, translated by machine into
  /// Flores-200's languages.
  ///
  /// - Parameters:
  ///   - folder: The folder `data/xtd200` or `data/flickr30k-200`, with a file a language: `swh_Latn.txt`.
  ///   - list: The file with the pictures' names; `nil` for `test_image_names.txt` or `filenames.txt` in the folder.
  ///   - pictures: The folder of the pictures.
  /// - Returns: The pictures with a text in each language, by Flores-200's codes.
  /// - Throws: ``RetrievalError``, naming the file that is missing or does not fit the list of pictures.
  public static func flores200(
    _ folder: FilePath,
    list: FilePath? = nil,
    pictures: FilePath
  ) throws -> CaptionedPictures {
    let lists = ["test_image_names.txt", "filenames.txt"]
    let files = try RetrievalPackages.names(in: folder)
    guard
      let list = list ?? lists.first(where: files.contains).map({ folder.appending($0) })
    else {
      throw RetrievalError(
        code: .missingFile,
        message: "\(folder) has neither \(lists[0]) nor \(lists[1])"
      )
    }
    let texts = files.filter { $0.hasSuffix(".txt") && !lists.contains($0) }.map { file in
      (language: String(file.dropLast(4)), path: folder.appending(file))
    }
    return try parallel(
      folder.lastComponent?.string ?? folder.string,
      list: list,
      texts: texts,
      pictures: pictures
    )
  }
}
