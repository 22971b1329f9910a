internal import Foundation
public import SystemPackage
internal import Yams

extension CaptionedPictures {
  /// Reads a catalogue of Debian's applications (DEP-11, the YAML form of AppStream): icons with names and one-sentence summaries.
  ///
  /// The nearest thing to the texts beside pictures in the web that an operating system has. apt keeps the catalogue, if it is told to
  /// fetch it, as `/var/lib/apt/lists/…_dep11_Components-amd64.yml.gz`, and the icons beside it as an archive.
  ///
  /// - Parameters:
  ///   - path: The catalogue, compressed by gzip or not.
  ///   - icons: The folder that the icons were unpacked to.
  ///   - size: The width of the icons that are meant.
  /// - Returns: The desktop applications with such an icon, by their identifiers; their English texts are `en`.
  /// - Throws: ``RetrievalError``, naming the file and the line, if it is missing or damaged.
  public static func dep11(
    _ path: FilePath,
    icons: FilePath,
    size: Int = 64
  ) throws -> CaptionedPictures {
    var texts = PictureTexts()
    var (document, start) = ("", 1)
    func take() throws {
      defer { document = "" }
      // One in a hundred is an application; the parser is not asked about the others.
      guard document.contains("Type: desktop-application\n") else { return }
      let component: Component
      do {
        component = try YAMLDecoder().decode(Component.self, from: document)
      } catch {
        throw JSONLines.malformed(path, start, "the component that begins here cannot be read")
      }
      guard let icon = component.Icon?.cached?.first(where: { $0.width == size }),
        let name = FilePath(icon.name).lastComponent
      else { return }
      for (kind, values) in [(Caption.Kind.name, component.Name), (.sentence, component.Summary)] {
        for (locale, text) in (values ?? [:]).sorted(by: { $0.key < $1.key }) {
          let language = locale == "C" ? "en" : LanguageCode.cldr(locale)
          guard let language, locale != "x-test", !text.isEmpty else { continue }
          texts.add(Text(language: language, text: text, kind: kind), to: component.ID) {
            icons.appending(name)
          }
        }
      }
    }
    try TextLines.read(path) { line, number in
      if line == "---" {
        try take()
        start = number + 1
      } else {
        document += line + "\n"
      }
    }
    try take()
    return try CaptionedPictures(name: "dep11", items: texts.items)
  }

  private struct Component: Decodable {
    struct Icons: Decodable {
      struct Cached: Decodable {
        var name: String
        var width: Int
      }
      var cached: [Cached]?
    }
    var ID: String
    var Name: [String: String]?
    var Summary: [String: String]?
    var Icon: Icons?
  }
}
