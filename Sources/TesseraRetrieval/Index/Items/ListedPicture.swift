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
  /// The pictures of a folder, of a table or of a list, by what `path` is.
  ///
  /// - Parameter path: A folder with PNG and JPEG files; a `.csv`, `.tsv` or `.jsonl` file, also compressed as `….gz`.
  /// - Returns: The pictures, in the order of their ids or of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func all(in path: FilePath) throws -> [ListedPicture] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path.string, isDirectory: &isFolder) else {
      throw RetrievalError(code: .missingFile, message: "there is no \(path)")
    }
    if isFolder.boolValue { return try inFolder(path) }
    guard TableFile.ending(of: path) != nil else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(path) is neither a folder of pictures nor a .csv, .tsv or .jsonl file"
      )
    }
    return try inTable(path)
  }

  /// The PNG and JPEG files of a folder and of those within, by their names; hidden ones are left out.
  ///
  /// - Parameter folder: The folder.
  /// - Returns: The pictures in the order of their paths from the folder on, which are their ids; links to folders are not followed.
  /// - Throws: ``RetrievalError``, naming the folder that cannot be read.
  public static func inFolder(_ folder: FilePath) throws -> [ListedPicture] {
    try PictureFolder.files(in: folder).filter(PictureFolder.isPicture)
      .map { ListedPicture(id: $0, path: folder.appending($0)) }
  }

  /// The pictures of a table: `picture` (or `image`, `path`), from the table's folder on; `id`, which is that path if there is none; the rest
  /// is metadata.
  ///
  /// Of a `.csv` or `.tsv` file (RFC 4180, in UTF-8) the first line names the columns; what looks like a number is one, `true` and `false` are
  /// booleans, and empty fields are nothing. Of a `.jsonl` file each line is a JSON object.
  ///
  /// - Parameter file: The table.
  /// - Returns: The pictures, in the order of the lines.
  /// - Throws: ``RetrievalError``, naming the file and the line.
  public static func inTable(_ file: FilePath) throws -> [ListedPicture] {
    var list = try ListedRows(file, of: TableFile.pictureNames)
    return try list.rows.map { row in
      let (path, id, metadata) = try list.parts(of: row) { $0 }
      return ListedPicture(
        id: id,
        path: file.removingLastComponent().pushing(FilePath(path)),
        metadata: metadata
      )
    }
  }
}
