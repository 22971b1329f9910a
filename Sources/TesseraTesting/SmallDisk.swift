internal import Foundation
internal import Glibc
public import SystemPackage

/// A disk of a few megabytes that goes when the last reference to it does.
///
/// It lies in memory, and only root can mount one, where it may: in a container as a rule not.
public final class SmallDisk: Sendable {
  private let folder: TemporaryFolder

  /// Where it is mounted.
  public var path: FilePath { folder.path }

  /// Whether this process may mount one: it is tried once.
  public static let isPossible = (try? SmallDisk(megabytes: 1)) != nil

  /// Mounts a disk.
  ///
  /// - Throws: `Errno` if the system refuses.
  public init(megabytes: Int) throws {
    folder = try TemporaryFolder()
    guard mount("tmpfs", folder.path.string, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  /// Makes room on it, or takes some.
  ///
  /// - Throws: `Errno` if the system refuses.
  public func resize(megabytes: Int) throws {
    let options = "size=\(megabytes)m"
    guard mount("tmpfs", path.string, "tmpfs", UInt(MS_REMOUNT), options) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  deinit { umount2(path.string, Int32(MNT_DETACH)) }
}
