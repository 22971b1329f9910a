internal import Foundation
public import SystemPackage
internal import TesseraRun

/// A picture that is to be in an index.
public struct ListedPicture: Sendable, Hashable {
  /// Its name in the index.
  public var id: String
  /// Where it lies.
  public var path: FilePath
  /// What is known of it.
  public var metadata: [String: MetadataValue]

  /// Makes one.
  public init(id: String, path: FilePath, metadata: [String: MetadataValue] = [:]) {
    self.id = id
    self.path = path
    self.metadata = metadata
  }
}

extension ListedPicture {
  private static let endings: Set = ["png", "jpg", "jpeg"]

  /// The pictures of a folder, of a table or of a list, by what `path` is.
  ///
  /// - Parameter path: A folder with PNG and JPEG files; a `.csv` or `.jsonl` file.
  /// - Returns: The pictures, in the order of their ids or of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func all(in path: FilePath) throws -> [ListedPicture] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder) else {
      throw RetrievalError(code: .missingFile, message: "there is no \(path)")
    }
    if isFolder.boolValue { return try inFolder(path) }
    switch path.extension?.lowercased() {
    case "csv": return try inTable(path)
    case "jsonl": return try inLines(path)
    default:
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(path) is neither a folder of pictures nor a .csv or .jsonl file"
      )
    }
  }

  /// The PNG and JPEG files of a folder and of those within, by their names; hidden ones are left out.
  ///
  /// - Parameter folder: The folder.
  /// - Returns: The pictures in the order of their paths from the folder on, which are their ids; links to folders are not followed.
  /// - Throws: ``RetrievalError``, naming the folder that cannot be read.
  public static func inFolder(_ folder: FilePath) throws -> [ListedPicture] {
    var found: [String] = []
    var folders = [""]
    while let prefix = folders.popLast() {
      let path = prefix.isEmpty ? folder : folder.appending(prefix)
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: path.string)
      } catch {
        throw RetrievalError(code: .missingFile, message: "the folder \(path) cannot be read")
      }
      for name in names where !name.hasPrefix(".") {
        let relative = prefix.isEmpty ? name : "\(prefix)/\(name)"
        let attributes = try? FileManager.default.attributesOfItem(
          atPath: folder.appending(relative).string
        )
        if attributes?[.type] as? FileAttributeType == .typeDirectory {
          folders.append(relative)
        } else if let ending = FilePath(name).extension?.lowercased(), endings.contains(ending) {
          found.append(relative)
        }
      }
    }
    return found.sorted().map { ListedPicture(id: $0, path: folder.appending($0)) }
  }

  /// The pictures of a file with a JSON object a line: `path`, from the file's folder on; `id`, which is the path if there is none; the rest is
  /// metadata.
  ///
  /// - Parameter file: The file.
  /// - Returns: The pictures, in the order of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func inLines(_ file: FilePath) throws -> [ListedPicture] { try inRows(file) }

  /// The pictures of a table (RFC 4180, in UTF-8) whose first line names the columns: `path`, perhaps `id`, and metadata.
  ///
  /// What looks like a number is one, `true` and `false` are booleans, and empty fields are nothing.
  ///
  /// - Parameter file: The table.
  /// - Returns: The pictures, in the order of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func inTable(_ file: FilePath) throws -> [ListedPicture] { try inRows(file) }

  private static func inRows(_ file: FilePath) throws -> [ListedPicture] {
    var list = try ListedRows(file, of: "path")
    return try list.rows.map { row in
      let (path, id, metadata) = try list.parts(of: row, "path") { $0 }
      return ListedPicture(
        id: id,
        path: file.removingLastComponent().pushing(FilePath(path)),
        metadata: metadata
      )
    }
  }
}
