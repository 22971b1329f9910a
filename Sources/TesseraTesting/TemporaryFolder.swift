internal import Foundation
public import SystemPackage

/// A new, empty folder that goes when the last reference to it does.
public final class TemporaryFolder: Sendable {
  /// Where it is.
  public let path: FilePath

  /// Makes a folder.
  public init() throws {
    path = FilePath(NSTemporaryDirectory()).appending("tessera-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      atPath: path.string,
      withIntermediateDirectories: true
    )
  }

  deinit { try? FileManager.default.removeItem(atPath: path.string) }

  /// The names of what is in it, hidden files too, in order.
  public var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path.string)) ?? []).sorted()
  }

  /// Writes a file into it.
  public func file(_ name: String, _ bytes: [UInt8]) throws -> FilePath {
    let file = path.appending(name)
    try Data(bytes).write(to: URL(filePath: file.string))
    return file
  }

  /// The contents of a file, in it or elsewhere.
  public func bytes(of file: FilePath) throws -> [UInt8] {
    try Array(Data(contentsOf: URL(filePath: file.string)))
  }
}
