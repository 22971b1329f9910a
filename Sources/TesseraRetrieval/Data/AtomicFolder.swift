internal import Foundation
internal import SystemPackage

/// Folders that are either complete or not there at all.
///
/// A folder is written beside its place, under a lock that a process loses with its life: what a killed one has left is removed by the
/// next that writes there.
enum AtomicFolder {
  /// Makes a folder.
  ///
  /// - Parameters:
  ///   - path: Its name. What is there already, or is made by another process meanwhile, is replaced once the new one is complete, if
  ///     `mayReplace` allows it.
  ///   - mayReplace: Says of the names in the folder that is there whether it may go.
  ///   - body: Writes the files into a neighbour, which then takes the name.
  /// - Returns: What `body` does.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/cannotWrite`` if the system refuses, or something else is there; whatever
  ///   `body` throws.
  static func write<Result>(
    to path: FilePath,
    mayReplace: ([String]) -> Bool,
    _ body: (FilePath) throws -> Result
  ) throws -> Result {
    let path = FilePath(FileManager.default.currentDirectoryPath).pushing(path)
      .lexicallyNormalized()
    guard let name = path.lastComponent?.string else {
      throw cannotWrite(path, "it is not the name of a folder")
    }
    let parent = path.removingLastComponent()
    try checkMayReplace(path, mayReplace)
    removeAbandoned(in: parent, named: name)
    let (neighbour, lock) = try lockedNeighbour(of: path, in: parent, named: name)
    defer {
      try? FileManager.default.removeItem(atPath: neighbour.string)
      try? lock.close()
    }
    let result = try body(neighbour)
    try put(neighbour, at: path, mayReplace)
    return result
  }

  /// Gives the neighbour its name, in place of what is there.
  private static func put(
    _ neighbour: FilePath,
    at path: FilePath,
    _ mayReplace: ([String]) -> Bool
  ) throws {
    let old = FilePath(neighbour.string.replacing(suffix, with: ".old"))
    // Another process may put its own there at the same time, again and again.
    for _ in 0..<16 {
      if rename(neighbour.string, path.string) == 0 { return }
      let reason = Errno(rawValue: errno)
      guard reason == .directoryNotEmpty || reason == .fileExists || reason == .notDirectory else {
        throw cannotWrite(path, "\(reason)")
      }
      try checkMayReplace(path, mayReplace)
      // It is moved away at once and removed later: in between there is none, for as short as can be.
      guard rename(path.string, old.string) == 0 else {
        let reason = Errno(rawValue: errno)
        if reason == .noSuchFileOrDirectory { continue }
        throw cannotWrite(path, "\(reason)")
      }
      let isPut = rename(neighbour.string, path.string) == 0
      if !isPut { _ = rename(old.string, path.string) }
      try? FileManager.default.removeItem(atPath: old.string)
      if isPut { return }
    }
    throw cannotWrite(path, "others write it all the time")
  }

  private static func checkMayReplace(
    _ path: FilePath,
    _ mayReplace: ([String]) -> Bool
  ) throws {
    let files = FileManager.default
    guard files.fileExists(atPath: path.string) else { return }
    guard let names = try? files.contentsOfDirectory(atPath: path.string), mayReplace(names) else {
      // It may have gone this moment.
      guard files.fileExists(atPath: path.string) else { return }
      throw cannotWrite(path, "something else is there")
    }
  }

  private static let suffix = ".partial"

  /// An empty folder, and the lock on it.
  private static func lockedNeighbour(
    of path: FilePath,
    in parent: FilePath,
    named name: String
  ) throws -> (FilePath, FileDescriptor) {
    for _ in 0..<16 {
      let unique = String(UInt64.random(in: 0 ... .max), radix: 36)
      let neighbour = parent.appending(".\(name).\(unique)\(suffix)")
      do {
        try FileManager.default.createDirectory(
          atPath: neighbour.string,
          withIntermediateDirectories: true
        )
      } catch {
        throw cannotWrite(path, "the system refuses")
      }
      guard let lock = try? FileDescriptor.open(neighbour, .readOnly, options: .directory) else {
        continue
      }
      // Before it was locked, another could take it for abandoned.
      if flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0,
        FileManager.default.fileExists(atPath: neighbour.string)
      {
        return (neighbour, lock)
      }
      try? lock.close()
    }
    throw cannotWrite(path, "the system refuses a lock")
  }

  /// Removes what processes that were killed have left.
  private static func removeAbandoned(in parent: FilePath, named name: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.string)) ?? []
    for other in names where other.hasPrefix(".\(name).") && other.hasSuffix(suffix) {
      let folder = parent.appending(other)
      guard let lock = try? FileDescriptor.open(folder, .readOnly, options: .directory) else {
        continue
      }
      if flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 {
        try? FileManager.default.removeItem(atPath: folder.string)
      }
      try? lock.close()
    }
  }

  private static func cannotWrite(_ path: FilePath, _ reason: String) -> RetrievalError {
    RetrievalError(code: .cannotWrite, message: "cannot write the data set \(path): \(reason)")
  }
}
