import Foundation
import SystemPackage

/// A folder that goes with the test.
final class TemporaryFolder {
  let path = FilePath(NSTemporaryDirectory()).appending("tessera-\(UUID().uuidString)")
  init() throws {
    try FileManager.default.createDirectory(
      atPath: path.string,
      withIntermediateDirectories: true
    )
  }
  deinit { try? FileManager.default.removeItem(atPath: path.string) }

  func file(_ name: String, _ bytes: [UInt8]) throws -> FilePath {
    let file = path.appending(name)
    try Data(bytes).write(to: URL(fileURLWithPath: file.string))
    return file
  }

  func bytes(of file: FilePath) throws -> [UInt8] {
    try Array(Data(contentsOf: URL(fileURLWithPath: file.string)))
  }
}
