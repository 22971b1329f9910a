internal import Crypto
internal import Foundation
public import SystemPackage

/// 256 secret bits from the system's entropy that someone keeps, so that what is drawn from them can be drawn again.
///
///     let secrets = SecretSource.held(try HeldSecret(keptIn: folder.appending("noise.secret")))
public struct HeldSecret: Sendable, Hashable, CustomStringConvertible {
  private let bytes: [UInt8]

  /// A new one.
  public init() {
    bytes = SymmetricKey(size: .bits256).withUnsafeBytes { [UInt8]($0) }
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// The one in a file, or `nil` if the file is not there.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` naming the file if it is none.
  public static func read(at path: FilePath) throws -> HeldSecret? {
    let files = FileManager.default
    guard files.fileExists(atPath: path.string) else { return nil }
    // A second name of the secret, if a kill came between linking it and taking it away: whoever deletes the one means both.
    unlink(partial(of: path).string)
    let text = files.contents(atPath: path.string).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let digits = Array(text.trimmingCharacters(in: .newlines).utf8)
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
    }
    guard digits.count == 64, bytes.count == 32 else {
      throw FederationError(code: .cannotResume, message: "\(path) is not a secret of 64 digits")
    }
    return HeldSecret(bytes: bytes)
  }

  /// Writes it to a new file that its owner alone can read (mode 0600).
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` naming the file if the system refuses.
  public func write(to path: FilePath) throws {
    let neighbour = Self.partial(of: path)
    do {
      unlink(neighbour.string)
      let file = try FileDescriptor.open(
        neighbour,
        .writeOnly,
        options: [.create, .exclusiveCreate],
        permissions: .ownerReadWrite
      )
      try file.closeAfter {
        let text = bytes.map { String(format: "%02x", $0) }.joined() + "\n"
        _ = try file.writeAll(text.utf8)
        guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
      }
      // A link, so that an earlier secret is never written over.
      guard link(neighbour.string, path.string) == 0 else { throw Errno(rawValue: errno) }
      unlink(neighbour.string)
      let folder = path.removingLastComponent()
      let descriptor = try FileDescriptor.open(folder.isEmpty ? "." : folder, .readOnly)
      try descriptor.closeAfter { _ = fsync(descriptor.rawValue) }
    } catch let error as Errno {
      unlink(neighbour.string)
      throw FederationError(code: .cannotResume, message: "cannot write \(path): \(error)")
    }
  }

  /// Where a secret is written before it has its name.
  private static func partial(of path: FilePath) -> FilePath {
    let name = path.lastComponent?.string ?? "secret"
    return path.removingLastComponent().appending(".\(name).partial")
  }

  /// 32 bytes for a purpose: HMAC-SHA-256 of its name.
  func secret(_ purpose: String) -> SymmetricKey {
    SymmetricKey(
      data: HMAC<SHA256>.authenticationCode(
        for: Data(purpose.utf8),
        using: SymmetricKey(data: bytes)
      )
    )
  }

  /// A secret of its own for a purpose.
  func derived(_ purpose: String) -> HeldSecret {
    HeldSecret(bytes: secret("derived \(purpose)").withUnsafeBytes { [UInt8]($0) })
  }

  /// That there is one, and nothing of it.
  public var description: String { "a secret" }
}
