internal import Foundation
internal import SystemPackage
internal import TesseraConfiguration

extension JobRule {
  /// Files that are not there.
  static var dataRules: [JobRule] {
    [
      JobRule([
        "data.yml/images", "data.yml/sites", "data.yml/tables", "data.yml/folders", "data.yml/test",
      ]) { terms in
        let file = terms.dataFile
        switch terms.job.data.source {
        case .divided(let folder, _, _):
          return missing(folder, isFolder: true).map { [file.problem(at: "images", $0)] } ?? []
        case .images(let sites, let test):
          return sites.compactMap { site, folder in
            missing(folder, isFolder: true).map { file.problem(with: site, in: "sites", $0) }
          }
            + (test.flatMap { missing($0, isFolder: true) }.map { [file.problem(at: "test", $0)] }
              ?? [])
        case .tables(let sites):
          return sites.compactMap { site, table in
            missing(table, isFolder: false).map { file.problem(with: site, in: "tables", $0) }
          }
        case .folders(let sites):
          return sites.compactMap { site, path, _ in
            missing(path, isFolder: nil).map { file.problem(with: site, in: "folders", $0) }
          }
        case .none, .atSites: return []
        }
      }
    ]
  }

  private static func missing(_ path: FilePath, isFolder: Bool?) -> String? {
    var isDirectory: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path.string, isDirectory: &isDirectory)
    let kind = isFolder.map { $0 ? "folder" : "file" } ?? "folder or file"
    guard exists else {
      // Debian's package can be installed; the reader of the data says how.
      return path == "/usr/share/datasets/fashion-mnist" ? nil : "there is no \(kind) \(path)"
    }
    guard isFolder == nil || isDirectory.boolValue == isFolder else {
      return "\(path) is no \(kind)"
    }
    return FileManager.default.isReadableFile(atPath: path.string) ? nil : "\(path) cannot be read"
  }
}
