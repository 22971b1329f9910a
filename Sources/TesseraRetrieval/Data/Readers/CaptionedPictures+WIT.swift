internal import Foundation
public import SystemPackage

extension CaptionedPictures {
  /// The texts that WIT has of a picture.
  public enum WITText: String, Sendable, Hashable, CaseIterable {
    /// What stands beneath it in an article.
    case reference = "caption_reference_description"
    /// What its page of attribution says.
    case attribution = "caption_attribution_description"
    /// What is read to who cannot see it.
    case alternative = "caption_alt_text_description"
  }

  /// Reads a part of the [Wikipedia-based Image Text data set](https://github.com/google-research-datasets/wit), as
  /// `wit_v1.test.all-00000-of-00005.tsv.gz`.
  ///
  /// WIT has addresses in place of pictures. They are looked for in a folder, under the last part of their address, as download
  /// programs name files.
  ///
  /// - Parameters:
  ///   - path: The table; its lines are read one after another.
  ///   - text: Which text; rows that have none are left out.
  ///   - languages: Whose rows; `nil` for all.
  ///   - pictures: The folder of the pictures.
  ///   - progress: Is called each thousand rows with how many were read; what it throws ends it.
  /// - Returns: The pictures by their addresses, each with the texts of all its rows.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it is missing, damaged, or lacks a column.
  public static func wit(
    _ path: FilePath,
    text: WITText = .reference,
    languages: Set<String>? = nil,
    pictures: FilePath,
    progress: (_ rows: Int) throws -> Void = { _ in }
  ) throws -> CaptionedPictures {
    var texts = PictureTexts()
    var rows = 0
    try DelimitedTable.read(path, delimiter: "\t") { row, line in
      func field(_ name: String) throws -> String {
        guard let value = row[name] else {
          throw JSONLines.malformed(path, 1, "there is no column '\(name)'")
        }
        return value
      }
      rows += 1
      if rows.isMultiple(of: 1000) { try progress(rows) }
      let language = try field("language")
      guard languages?.contains(language) ?? true else { return }
      let (address, caption) = try (field("image_url"), field(text.rawValue).trimmed)
      guard !caption.isEmpty, let name = fileName(of: address) else { return }
      texts.add(Text(language: language, text: caption), to: address) {
        pictures.appending(name)
      }
    }
    return try CaptionedPictures(name: path.stem ?? path.string, items: texts.items)
  }

  /// The last part of an address, without what makes a path of it.
  private static func fileName(of address: String) -> String? {
    guard let last = address.split(separator: "/").last else { return nil }
    let name = last.prefix { $0 != "?" && $0 != "#" }
    let decoded = name.removingPercentEncoding ?? String(name)
    return decoded.isEmpty || decoded == "." || decoded == ".." || decoded.contains("/")
      || decoded.contains("\0") ? nil : decoded
  }
}
