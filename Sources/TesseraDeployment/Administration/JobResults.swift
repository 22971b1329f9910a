internal import Foundation
internal import SystemPackage

/// The files that a job has made, as they can be had.
struct JobResults {
  private let folder: FilePath

  init(in folder: FilePath) { self.folder = folder }

  /// What can be had: all but secrets and what only a run that goes on needs.
  func files() throws -> [JobFileEntry] {
    let manager = FileManager.default
    guard let names = manager.enumerator(atPath: folder.string) else { return [] }
    var found: [JobFileEntry] = []
    while let name = names.nextObject() as? String {
      guard Self.isResult(name),
        let attributes = try? manager.attributesOfItem(
          atPath: folder.pushing(FilePath(name)).string
        ), attributes[.type] as? FileAttributeType == .typeRegular
      else { continue }
      found.append(
        JobFileEntry(path: name, bytes: (attributes[.size] as? NSNumber)?.intValue ?? 0)
      )
    }
    return found.sorted { $0.path < $1.path }
  }

  /// Where one of them lies.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if it is none of them.
  func place(of path: String) throws -> FilePath {
    guard try files().contains(where: { $0.path == path }) else {
      throw DeploymentError(code: .notFound, message: "the job has made no file of that name")
    }
    return folder.pushing(FilePath(path))
  }

  private static func isResult(_ path: String) -> Bool {
    let name = path.split(separator: "/").last ?? ""
    return !name.hasPrefix(".") && !name.hasSuffix(".secret") && !name.hasPrefix("state-")
      && !name.hasPrefix("progress-") && !name.hasSuffix(".lock")
  }
}
