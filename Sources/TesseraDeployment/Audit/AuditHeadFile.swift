internal import Crypto
internal import Foundation
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

  /// What it says, if one of `keys` has signed it, and whether there is a file.
  func read(
    signedBy keys: [Curve25519.Signing.PublicKey]
  ) throws -> (head: AuditHead?, isThere: Bool) {
    let data: Data
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      data = try file.closeAfter {
        // One byte more than there should be is enough to see that there is too much.
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
        return Data(bytes.prefix(count))
      }
    } catch Errno.noSuchFileOrDirectory {
      return (nil, false)
    } catch let error as Errno {
      throw DeploymentError(code: .cannotRead, message: "cannot read \(path): \(error)")
    }
    return (AuditHead(signed: Array(data), by: keys), true)
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
