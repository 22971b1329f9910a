internal import Foundation
internal import SystemPackage

/// Folders that are either complete or not there at all.
enum AtomicFolder {
  /// Makes a folder.
  ///
  /// - Parameters:
  ///   - path: Its name. What is there already is replaced once the new one is complete, if `mayReplace` allows it.
  ///   - mayReplace: Says of the names in the folder that is there whether it may go.
  ///   - body: Writes the files into a neighbour, which then takes the name.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/cannotWrite`` if the system refuses, or something else is there; whatever
  ///   `body` throws.
  static func write(
    to path: FilePath,
    mayReplace: ([String]) -> Bool,
    _ body: (FilePath) throws -> Void
  ) throws {
    let path = FilePath(FileManager.default.currentDirectoryPath).pushing(path)
      .lexicallyNormalized()
    guard let name = path.lastComponent else {
      throw cannotWrite(path, "it is not the name of a folder")
    }
    let parent = path.removingLastComponent()
    let unique = String(UInt64.random(in: 0 ... .max), radix: 36)
    let neighbour = parent.appending(".\(name.string).\(unique).partial")
    let files = FileManager.default
    let exists = files.fileExists(atPath: path.string)
    let names = try? files.contentsOfDirectory(atPath: path.string)
    let isEmpty = names?.isEmpty ?? false
    if exists, !(names.map(mayReplace) ?? false) {
      throw cannotWrite(path, "something else is there")
    }
    do {
      try files.createDirectory(atPath: neighbour.string, withIntermediateDirectories: true)
    } catch {
      throw cannotWrite(path, "the system refuses")
    }
    defer { try? files.removeItem(atPath: neighbour.string) }
    try body(neighbour)
    guard exists, !isEmpty else {
      return try rename(neighbour, path, describing: path)
    }
    let old = parent.appending(".\(name.string).\(unique).old")
    try rename(path, old, describing: path)
    do {
      try rename(neighbour, path, describing: path)
    } catch {
      try? rename(old, path, describing: path)
      throw error
    }
    try? files.removeItem(atPath: old.string)
  }

  private static func rename(
    _ from: FilePath,
    _ to: FilePath,
    describing path: FilePath
  ) throws {
    guard Foundation.rename(from.string, to.string) == 0 else {
      throw cannotWrite(path, "\(Errno(rawValue: errno))")
    }
  }

  private static func cannotWrite(_ path: FilePath, _ reason: String) -> RetrievalError {
    RetrievalError(code: .cannotWrite, message: "cannot write the data set \(path): \(reason)")
  }
}
