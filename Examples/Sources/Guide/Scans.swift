import Foundation
import SystemPackage

/// A folder with an image for each of two classes, to read from.
enum Scans {
  static func folder() throws -> FilePath {
    let folder = FilePath(NSTemporaryDirectory()).appending("tessera-guide")
    // A grey PNG of one pixel.
    let pixel =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
    for name in ["none", "tumour"] {
      let path = folder.appending(name).string
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try Data(base64Encoded: pixel)?.write(to: URL(filePath: "\(path)/0001.png"))
    }
    return folder
  }
}
