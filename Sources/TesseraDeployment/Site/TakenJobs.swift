internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The jobs that a site has ever taken, by the digests of their signed folders: a server cannot have one done again under another
/// id.
///
/// A line of a text file for each, digest and id, on the disk before the job is looked at.
final class TakenJobs: Sendable {
  private let path: FilePath
  private let ids: Mutex<[String: String]>

  /// What the file says; nothing if it is not there.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if it is there, and cannot be read.
  init(at path: FilePath) throws {
    self.path = path
    var ids: [String: String] = [:]
    if FileManager.default.fileExists(atPath: path.string) {
      guard let data = FileManager.default.contents(atPath: path.string) else {
        throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read")
      }
      for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
        // A line that a kill has cut short is of a job that was not looked at.
        let words = line.split(separator: " ")
        if words.count == 2, words[0].utf8.count == 64 { ids[String(words[0])] = String(words[1]) }
      }
    }
    self.ids = Mutex(ids)
  }

  /// Notes that a job is taken.
  ///
  /// - Parameters:
  ///   - digest: Of its signed folder.
  ///   - id: Its id.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed`` if it was taken under another id, with code
  ///   ``DeploymentError/Code/cannotWrite`` if it cannot be noted.
  func take(_ digest: String, as id: String) throws {
    try ids.withLock { ids in
      if let known = ids[digest] {
        guard known == id else {
          throw DeploymentError(
            code: .notAllowed,
            message:
              "the same signed job was done here as \(known): it is handed in anew to be done again"
          )
        }
        return
      }
      do {
        let file = try FileDescriptor.open(
          path,
          .writeOnly,
          options: [.create, .append, .closeOnExec],
          permissions: [.ownerReadWrite]
        )
        try file.closeAfter {
          _ = try file.writeAll("\n\(digest) \(id)\n".utf8)
          guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
      } catch {
        throw DeploymentError(code: .cannotWrite, message: "\(path) cannot be written: \(error)")
      }
      ids[digest] = id
    }
  }
}
