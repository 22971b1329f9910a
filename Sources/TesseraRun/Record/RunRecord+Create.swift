public import Foundation
public import SystemPackage

extension RunRecord {
  /// Starts a record in a new folder.
  ///
  /// - Parameters:
  ///   - folder: Does not exist, or is empty; its parents are made.
  ///   - manifest: The first contents of `run.json`.
  /// - Returns: The record, with its first `run.json`.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the folder is in use or cannot be made.
  public static func create(at folder: FilePath, _ manifest: RunManifest) throws -> RunRecord {
    try checkIsFree(folder)
    let made = try makeFolders(folder)
    let record = RunRecord(folder: folder)
    do {
      let lock = try record.lock()
      // Another process may have come first.
      try checkIsFree(folder)
      try record.write(manifest)
      withExtendedLifetime(lock) {}
    } catch {
      // Nothing half-written stays behind; what others have put there does.
      for path in made.reversed() { rmdir(path.string) }
      throw error
    }
    return record
  }

  /// Starts a record in a folder of its own under `parent`, named by time and kind: `2026-11-24-1530-quickstart`.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if it cannot be made.
  public static func create(
    in parent: FilePath,
    at date: Date,
    _ manifest: RunManifest
  ) throws -> RunRecord {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd-HHmm"
    let base = "\(formatter.string(from: date))-\(manifest.kind)"
    _ = try makeFolders(parent)
    var (folder, number) = (parent.appending(base), 2)
    // Making the folder is what takes the name, so that two runs of one minute do not share it.
    while mkdir(folder.string, 0o777) != 0 {
      let error = Errno(rawValue: errno)
      guard error == .fileExists else { throw cannotMake(folder, "\(error)") }
      folder = parent.appending("\(base)-\(number)")
      number += 1
    }
    do {
      return try create(at: folder, manifest)
    } catch {
      rmdir(folder.string)
      throw error
    }
  }

  /// Refuses a folder that a record cannot be started in.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if it is there and not an empty folder.
  public static func checkIsFree(_ folder: FilePath) throws {
    var isFolder: ObjCBool = false
    let files = FileManager.default
    guard files.fileExists(atPath: folder.string, isDirectory: &isFolder) else { return }
    guard isFolder.boolValue else { throw cannotMake(folder, "a file of that name is there") }
    let contents = (try? files.contentsOfDirectory(atPath: folder.string)) ?? [""]
    guard contents.isEmpty else { throw cannotMake(folder, "it is not empty") }
  }

  private static func cannotMake(_ folder: FilePath, _ reason: String) -> RunError {
    RunError(code: .cannotWrite, message: "cannot make the run folder \(folder): \(reason)")
  }

  /// Makes a folder and its parents, and returns those that it made, outermost first.
  private static func makeFolders(_ folder: FilePath) throws -> [FilePath] {
    var missing: [FilePath] = []
    var path = folder
    while !path.isEmpty, !FileManager.default.fileExists(atPath: path.string) {
      missing.append(path)
      guard path.removeLastComponent() else { break }
    }
    missing.reverse()
    var made: [FilePath] = []
    for path in missing {
      if mkdir(path.string, 0o777) == 0 {
        made.append(path)
        continue
      }
      let error = Errno(rawValue: errno)
      // Someone else may have made it in the meantime.
      if error == .fileExists { continue }
      for path in made.reversed() { rmdir(path.string) }
      throw cannotMake(folder, "\(error)")
    }
    return made
  }
}
