internal import Crypto
internal import SystemPackage

/// The file beside a log that says which line was the last one that was on the disk.
///
/// It is written after each of the log's waits for the disk, and does not wait itself: it may be behind the log, never ahead of
/// it.
struct AuditHeadFile: Sendable {
  /// Where it lies.
  let path: FilePath

  init(of log: FilePath) {
    path = FilePath(log.string + ".head")
  }

  /// What it holds; `nil` if there is none.
  func contents() throws -> [UInt8]? {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      return try file.closeAfter {
        // More than there should be is enough to see that there is too much.
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
        return Array(bytes.prefix(count))
      }
    } catch Errno.noSuchFileOrDirectory {
      return nil
    } catch let error as Errno {
      throw DeploymentError(code: .cannotRead, message: "cannot read \(path): \(error)")
    }
  }

  func write(_ head: AuditHead, _ key: Curve25519.Signing.PrivateKey) throws {
    let bytes = try head.signed(with: key)
    do {
      let file = try FileDescriptor.open(
        path,
        .writeOnly,
        options: [.create, .closeOnExec],
        permissions: [.ownerReadWrite, .groupRead, .otherRead]
      )
      try file.closeAfter {
        // In its place: always as many bytes, less than the system writes at once.
        let count = try file.writeAll(toAbsoluteOffset: 0, bytes)
        try file.resize(to: Int64(count))
      }
    } catch let error as Errno {
      throw DeploymentError(code: .cannotWrite, message: "cannot write \(path): \(error)")
    }
  }
}
