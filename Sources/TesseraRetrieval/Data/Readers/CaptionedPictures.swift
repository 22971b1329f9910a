internal import Foundation
public import SystemPackage

/// Pictures in files, with texts in any languages: a collection of one's own, or a published one.
///
///     let pictures = try CaptionedPictures.table("photos.csv")
///     let loaded = try PictureLoader(size: 224).load(pictures.items.map(\.picture))
///     for (path, reason) in loaded.skipped { print(path, reason) }
///
/// Only texts are read; pictures are loaded when they are asked for.
public struct CaptionedPictures: Sendable, Hashable {
  /// What is said of a picture.
  public struct Text: Sendable, Hashable {
    /// The language's code, as the collection writes it; `und` if it says none.
    public var language: String
    /// The text.
    public var text: String
    /// What kind of text it is.
    public var kind: Caption.Kind

    /// Makes a text.
    public init(language: String, text: String, kind: Caption.Kind = .sentence) {
      self.language = language
      self.text = text
      self.kind = kind
    }
  }

  /// A picture.
  public struct Item: Sendable, Hashable {
    /// What it is called; no two of a collection share it.
    public var id: String
    /// Its file, which may be missing or damaged.
    public var picture: FilePath
    /// What is said of it.
    public var texts: [Text]

    /// Makes an item.
    public init(id: String, picture: FilePath, texts: [Text]) {
      self.id = id
      self.picture = picture
      self.texts = texts
    }
  }

  /// The code of a language that is not known, as ISO 639 has it.
  public static let undetermined = "und"

  /// What the collection is called.
  public let name: String
  /// The pictures, in the collection's order.
  public let items: [Item]

  /// A collection of the given pictures.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if two share an identifier.
  public init(name: String, items: [Item]) throws {
    var ids: Set<String> = []
    for (number, item) in items.enumerated() where !ids.insert(item.id).inserted {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(name): picture \(number + 1) has the identifier of another"
      )
    }
    self.name = name
    self.items = items
  }

  /// The languages of the texts, in the order of their codes.
  public var languages: [String] {
    Set(items.lazy.flatMap { $0.texts.lazy.map(\.language) }).sorted()
  }

  /// A collection with the texts in some languages alone, and the pictures that have any.
  public func texts(in languages: some Sequence<String>) throws -> CaptionedPictures {
    let languages = Set(languages)
    return try CaptionedPictures(
      name: name,
      items: items.compactMap { item in
        var item = item
        item.texts.removeAll { !languages.contains($0.language) }
        return item.texts.isEmpty ? nil : item
      }
    )
  }
}

/// Collects the texts of pictures that are named again and again.
struct PictureTexts {
  private(set) var items: [CaptionedPictures.Item] = []
  private var numbers: [String: Int] = [:]

  /// Adds a text to a picture, which is new if its identifier is.
  mutating func add(_ text: CaptionedPictures.Text?, to id: String, _ picture: () -> FilePath) {
    let number = numbers[id] ?? items.count
    if number == items.count {
      numbers[id] = number
      items.append(CaptionedPictures.Item(id: id, picture: picture(), texts: []))
    }
    if let text { items[number].texts.append(text) }
  }
}
