internal import Foundation
public import SystemPackage
internal import TesseraRun

extension CaptionedPictures {
  /// Reads captions in the layout of [COCO](https://cocodataset.org), as `captions_val2014.json`, and STAIR's in Japanese,
  /// `stair_captions_v1.2_val.json`.
  ///
  /// - Parameters:
  ///   - path: An object with `images` (`id`, `file_name`) and `annotations` (`image_id`, `caption`).
  ///   - language: The language of the captions.
  ///   - pictures: The folder of the pictures.
  /// - Returns: The pictures in the file's order; those without a caption too.
  /// - Throws: ``RetrievalError``, naming the file, if it is missing, damaged, or a caption is of a picture that is not listed.
  public static func coco(
    _ path: FilePath,
    language: String,
    pictures: FilePath
  ) throws -> CaptionedPictures {
    struct File: Decodable {
      struct Image: Decodable {
        var id: Int
        var file_name: String
      }
      struct Annotation: Decodable {
        var image_id: Int
        var caption: String
      }
      var images: [Image]
      var annotations: [Annotation]
    }
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(code: .missingFile, message: "\(path) cannot be read")
    }
    func malformed(_ reason: String) -> RetrievalError {
      RetrievalError(code: .malformedFile, message: "\(path): \(reason)")
    }
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: data)
    } catch let error as DecodingError {
      throw malformed(error.fieldDescription)
    }
    var numbers: [Int: Int] = [:]
    var items: [Item] = []
    for image in file.images {
      guard numbers.updateValue(items.count, forKey: image.id) == nil else {
        throw malformed("two images have the id \(image.id)")
      }
      items.append(
        Item(id: image.file_name, picture: pictures.appending(image.file_name), texts: [])
      )
    }
    for (position, annotation) in file.annotations.enumerated() {
      guard let number = numbers[annotation.image_id] else {
        throw malformed("annotation \(position + 1) is of an image that is not listed")
      }
      // Some end with a line's end.
      let text = annotation.caption.trimmed
      if !text.isEmpty { items[number].texts.append(Text(language: language, text: text)) }
    }
    return try CaptionedPictures(name: path.stem ?? path.string, items: items)
  }

  /// Reads [Crossmodal-3600](https://google.github.io/crossmodal-3600/): `captions.jsonl`.
  ///
  /// - Parameters:
  ///   - path: The file, an object a line with `image/key` and, for each language, `caption`.
  ///   - pictures: The folder with `000411001ff7dd4f.jpg` and its like; `nil` for `images` beside the file.
  /// - Returns: 3,600 pictures with some captions in each of 36 languages.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it is missing or damaged.
  public static func crossmodal3600(
    _ path: FilePath,
    pictures: FilePath? = nil
  ) throws -> CaptionedPictures {
    enum Value: Decodable {
      struct Captions: Decodable { var caption: [String] }
      case captions([String])
      case text(String)
      case other

      init(from decoder: any Decoder) throws {
        if let captions = try? Captions(from: decoder) {
          self = .captions(captions.caption)
        } else if let text = try? decoder.singleValueContainer().decode(String.self) {
          self = .text(text)
        } else {
          self = .other
        }
      }
    }
    let pictures = pictures ?? path.removingLastComponent().appending("images")
    var items: [Item] = []
    try TextLines.read(path) { line, number in
      guard !line.isEmpty else { return }
      let fields: [String: Value]
      do {
        fields = try JSONDecoder().decode([String: Value].self, from: Data(line.utf8))
      } catch let error as DecodingError {
        throw JSONLines.malformed(path, number, error.fieldDescription)
      }
      guard case .text(let key) = fields["image/key"] else {
        throw JSONLines.malformed(path, number, "the field 'image/key' is missing")
      }
      var texts: [Text] = []
      for (language, value) in fields.sorted(by: { $0.key < $1.key }) {
        guard case .captions(let captions) = value else { continue }
        texts += captions.map { Text(language: language, text: $0) }
      }
      items.append(Item(id: key, picture: pictures.appending("\(key).jpg"), texts: texts))
    }
    return try CaptionedPictures(name: "Crossmodal-3600", items: items)
  }
}
