internal import Foundation
internal import SystemPackage

/// The files of a folder that is to be copied.
enum FolderListing {
  /// The paths of the files in it and in folders within, in order; without links, and files that are not finished.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - items: The files and folders in it that count; all if `nil`.
  /// - Returns: The paths, from the folder on.
  /// - Throws: ``DeploymentError`` if one of the folders cannot be read: its files would otherwise be taken for gone.
  static func files(in folder: FilePath, only items: [String]? = nil) throws -> [String] {
    var files: [String] = []
    var folders = [""]
    while let prefix = folders.popLast() {
      let path = prefix.isEmpty ? folder.string : folder.appending(prefix).string
      let names: [String]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: path)
      } catch {
        throw DeploymentError(code: .cannotRead, message: "the folder \(path) cannot be read")
      }
      for name in names where !(name.hasPrefix(".") && name.hasSuffix(".partial")) {
        if let items, prefix.isEmpty, !items.contains(name) { continue }
        let relative = prefix.isEmpty ? name : "\(prefix)/\(name)"
        switch try attributes(of: folder.appending(relative))[.type] as? FileAttributeType {
        case .typeRegular: files.append(relative)
        case .typeDirectory: folders.append(relative)
        default: break
        }
      }
    }
    return files.sorted()
  }

  /// What the system knows of a file; of a link, what it knows of the link.
  static func attributes(of path: FilePath) throws -> [FileAttributeKey: Any] {
    do {
      return try FileManager.default.attributesOfItem(atPath: path.string)
    } catch {
      throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read")
    }
  }
}
