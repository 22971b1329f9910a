internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraRun

/// What an acceleration has made, in an index's folder: `nearest-N.data`, and `nearest.json` that says of which transaction it is.
///
/// The description comes last and has the data's digest: what a kill leaves, or what is damaged, counts as not being there. It is made of the
/// vectors, and can be made again.
struct AccelerationFile: Codable {
  var format = Self.currentFormat
  /// The index that it belongs to.
  var index: String
  /// The acceleration's name.
  var kind: String
  /// The last transaction whose vectors it has.
  var change: Int
  /// The file beside it.
  var file: String
  /// The SHA-256 of that.
  var digest: String

  private static let currentFormat = 1
  private static let name = "nearest.json"

  /// What tells one description from the next: each is a file of its own.
  struct Stamp: Equatable {
    var file: UInt64
    var seconds: Int
    var nanoseconds: Int
  }

  /// Which description there is, if there is one.
  static func stamp(in folder: FilePath) -> Stamp? {
    var status = stat()
    guard stat(folder.appending(name).string, &status) == 0 else { return nil }
    return Stamp(
      file: UInt64(status.st_ino),
      seconds: Int(status.st_mtim.tv_sec),
      nanoseconds: Int(status.st_mtim.tv_nsec)
    )
  }

  /// Reads what belongs to an index and an acceleration, if it is there and whole.
  static func read(
    in folder: FilePath,
    index: String,
    _ acceleration: any VectorAcceleration
  ) -> (change: Int, proposals: any NeighborProposals)? {
    guard let data = FileManager.default.contents(atPath: folder.appending(name).string),
      let description = try? JSONDecoder().decode(Self.self, from: data),
      description.format == currentFormat, description.index == index,
      description.kind == acceleration.name, FilePath(description.file).components.count == 1
    else { return nil }
    let path = folder.appending(description.file)
    guard (try? Digest.sha256(ofFile: path)) == description.digest,
      let proposals = try? acceleration.read(path)
    else { return nil }
    return (description.change, proposals)
  }

  /// Writes what an acceleration has made, and removes what was there.
  static func write(
    _ proposals: any NeighborProposals,
    of acceleration: any VectorAcceleration,
    index: String,
    change: Int,
    in folder: FilePath
  ) throws {
    let file = "nearest-\(change).data"
    let path = folder.appending(file)
    do {
      // Under its name nobody reads it before the description names it.
      try proposals.write(to: path)
      try synchronize(path)
      let description = AccelerationFile(
        index: index,
        kind: acceleration.name,
        change: change,
        file: file,
        digest: try Digest.sha256(ofFile: path)
      )
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      let text = String(decoding: try encoder.encode(description), as: UTF8.self) + "\n"
      try AtomicFile.write(text, to: folder.appending(name))
    } catch {
      throw RetrievalError(code: .cannotWrite, message: "cannot write \(path): \(error)")
    }
    let files = FileManager.default
    for other in (try? files.contentsOfDirectory(atPath: folder.string)) ?? []
    where other.hasPrefix("nearest-") && other != file {
      try? files.removeItem(atPath: folder.appending(other).string)
    }
  }

  /// The name of the acceleration that a folder's description is of.
  static func kind(in folder: FilePath) -> String? {
    FileManager.default.contents(atPath: folder.appending(name).string).flatMap {
      try? JSONDecoder().decode(Self.self, from: $0).kind
    }
  }

  /// Removes what an acceleration has written.
  static func remove(in folder: FilePath) throws {
    let files = FileManager.default
    do {
      for file in try files.contentsOfDirectory(atPath: folder.string)
      where file == name || file.hasPrefix("nearest-") {
        try files.removeItem(atPath: folder.appending(file).string)
      }
    } catch {
      throw RetrievalError(
        code: .cannotWrite,
        message: "cannot remove the acceleration in \(folder)"
      )
    }
  }

  private static func synchronize(_ path: FilePath) throws {
    let descriptor = try FileDescriptor.open(path, .readOnly)
    try descriptor.closeAfter {
      guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
  }
}
