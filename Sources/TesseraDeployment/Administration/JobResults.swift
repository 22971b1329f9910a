internal import Foundation
internal import SystemPackage

/// The files that a job has made, as they can be had.
public struct JobResults: Sendable {
  private let folder: FilePath

  init(in folder: FilePath) { self.folder = folder }

  /// What can be had, with digests: all but secrets and what only a run that goes on needs.
  ///
  /// All of it is read for that, which takes its time.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead``.
  public func files() throws -> [JobFileEntry] {
    try sizes().compactMap { path, bytes in
      let place = folder.pushing(FilePath(path))
      do {
        return JobFileEntry(
          path: path,
          bytes: bytes,
          digest: try FileDigest.of(place, first: bytes)
        )
      } catch {
        // A job that goes on has replaced it meanwhile, or removed it.
        guard FileManager.default.fileExists(atPath: place.string) else { return nil }
        throw error
      }
    }
  }

  private func sizes() throws -> [(path: String, bytes: Int)] {
    let manager = FileManager.default
    guard let names = manager.enumerator(atPath: folder.string) else { return [] }
    var found: [(path: String, bytes: Int)] = []
    while let name = names.nextObject() as? String {
      guard Self.isResult(name),
        let attributes = try? manager.attributesOfItem(
          atPath: folder.pushing(FilePath(name)).string
        ), attributes[.type] as? FileAttributeType == .typeRegular
      else { continue }
      found.append((name, (attributes[.size] as? NSNumber)?.intValue ?? 0))
    }
    return found.sorted { $0.path < $1.path }
  }

  /// Where one of them lies.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if it is none of them.
  func place(of path: String) throws -> FilePath {
    guard try sizes().contains(where: { $0.path == path }) else {
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
