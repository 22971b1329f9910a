internal import Foundation
internal import SystemPackage
internal import TesseraProvisioning
internal import TesseraRun

/// The files of a job's folder.
enum JobFolder {
  /// Reads all files, in the order of their paths.
  ///
  /// - Parameters:
  ///   - folder: The job's.
  ///   - limits: How much it may hold.
  ///   - own: Files and folders in it that are not read.
  /// - Returns: The files.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/invalidArgument`` naming what cannot be part of a job.
  static func read(
    _ folder: FilePath,
    limits: JobBundle.Limits,
    leavingOut own: [String] = []
  ) throws -> [JobBundle.File] {
    func refused(_ path: String, _ reason: String) -> DeploymentError {
      DeploymentError(
        code: .invalidArgument,
        message: "\(folder.pushing(FilePath(path))) cannot be part of a job: \(reason)"
      )
    }
    let manager = FileManager.default
    guard let names = manager.enumerator(atPath: folder.string) else {
      throw DeploymentError(code: .cannotRead, message: "\(folder) is no folder")
    }
    var files: [JobBundle.File] = []
    var total = 0
    while let name = names.nextObject() as? String {
      let parts = name.split(separator: "/")
      // What editors and Python leave behind is no part of a job.
      if parts.contains(where: { $0.hasPrefix(".") || $0 == "__pycache__" }) { continue }
      if own.contains(where: { name == $0 || name.hasPrefix($0 + "/") }) { continue }
      let path = folder.pushing(FilePath(name))
      // Nor what runs of it have.
      if RunRecord.isRecord(path) {
        names.skipDescendants()
        continue
      }
      let attributes = try? manager.attributesOfItem(atPath: path.string)
      switch attributes?[.type] as? FileAttributeType {
      case .typeDirectory?: continue
      case .typeRegular?: break
      default: throw refused(name, "it is neither a file nor a folder")
      }
      guard files.count < limits.files else {
        throw refused("", "there are more than \(limits.files) files")
      }
      try check(path: name)
      guard let contents = manager.contents(atPath: path.string) else {
        throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read")
      }
      total += contents.count
      guard total <= limits.bytes else {
        throw refused("", "there are more than \(limits.bytes) bytes")
      }
      let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
      files.append(
        JobBundle.File(path: name, contents: contents, isExecutable: mode & 0o100 != 0)
      )
    }
    guard files.contains(where: { $0.path == "job.yml" }) else {
      throw DeploymentError(code: .cannotRead, message: "\(folder) has no job.yml")
    }
    return files.sorted { $0.path < $1.path }
  }

  /// Refuses a path that leads out of the folder, or that not every system can have.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/altered``.
  static func check(path: String) throws {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard path.utf8.count <= JobBundle.Limits().pathBytes, !path.isEmpty,
      parts.allSatisfy({ part in
        !part.isEmpty && !part.hasPrefix(".") && part.utf8.count <= 200
          && part.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
      })
    else {
      throw DeploymentError(
        code: .altered,
        message: "the job's folder: a file has a name that no file of a job has"
      )
    }
  }
}
