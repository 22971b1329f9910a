internal import Foundation
internal import SystemPackage

/// The files of a folder of pictures, and of the folders within.
enum PictureFolder {
  /// The files, by their paths from the folder on, in the order of these; hidden ones are left out, and links to folders are not followed.
  ///
  /// - Throws: ``RetrievalError``, naming the folder that cannot be read.
  static func files(in folder: FilePath) throws -> [String] {
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
        var status = stat()
        let isFolder =
          lstat(folder.appending(relative).string, &status) == 0
          && status.st_mode & S_IFMT == S_IFDIR
        if isFolder { folders.append(relative) } else { found.append(relative) }
      }
    }
    return found.sorted()
  }

  /// Whether a file is a picture by its name.
  static func isPicture(_ path: String) -> Bool {
    ["png", "jpg", "jpeg"].contains(FilePath(path).extension?.lowercased() ?? "")
  }
}
