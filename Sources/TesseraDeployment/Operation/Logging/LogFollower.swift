public import SystemPackage

/// Reads the lines of a ``LogFile`` as they come, over files that are full and begin anew.
///
///     var follower = LogFollower("work/jobs/chest-1/log.jsonl")
///     for line in try follower.lines() { … }  // all that is there
///     for line in try follower.lines() { … }  // what has come since
///
/// It holds the file that it reads open. When that is no longer the one that is written, it is read to its end, and after it those
/// that have come since, in their order: no line is left out, and none comes twice, unless so many files were filled between two
/// looks that the oldest are gone.
public struct LogFollower: Sendable {
  /// A file that is open, and how far it was read.
  private final class Opened: Sendable {
    let descriptor: FileDescriptor
    let identity: Identity

    init?(_ path: FilePath) throws {
      do {
        descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      } catch Errno.noSuchFileOrDirectory {
        return nil
      } catch {
        throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read: \(error)")
      }
      do {
        identity = try Identity(descriptor.stat())
      } catch {
        try? descriptor.close()
        throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read: \(error)")
      }
    }

    deinit { try? descriptor.close() }
  }

  /// Which file it is, whatever it is called.
  private struct Identity: Equatable {
    var device: DeviceID
    var number: Inode

    init(_ status: Stat) {
      device = status.deviceID
      number = status.inode
    }

    init?(of path: FilePath) {
      guard let status = try? path.stat() else { return nil }
      self.init(status)
    }
  }

  private let path: FilePath
  private var file: Opened?
  private var offset: Int64 = 0
  private var rest: [UInt8] = []

  /// The longest line, in bytes: what is behind it is left out.
  private static let longestLine = 1 << 20

  /// A reader of a log.
  ///
  /// - Parameter path: The file that is written; it need not be there yet.
  public init(_ path: FilePath) { self.path = path }

  /// The lines that are whole and were not read before, oldest first.
  ///
  /// - Parameter bytes: About how many bytes are read; more if they hold no whole line, so that no lines mean that there are none.
  /// - Returns: The lines.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if the system refuses.
  public mutating func lines(atMost bytes: Int = .max) throws -> [String] {
    var found: [String] = []
    var left = bytes
    if file == nil { file = try oldest() }
    while let current = file {
      // Whether there is a next one is asked first: nothing is added to a file that has one.
      let next = try next(after: current)
      guard try read(current, into: &found, atMost: &left), let next else { break }
      if !rest.isEmpty { found.append(String(decoding: rest, as: UTF8.self)) }
      (file, offset, rest) = (next, 0, [])
    }
    return found
  }

  /// The oldest file that is there.
  private func oldest() throws -> Opened? {
    while true {
      let number = highestNumber()
      if let file = try Opened(LogFile.path(of: path, number)) { return file }
      // It was renamed, or nothing was ever written.
      if number == 0, highestNumber() == 0 { return nil }
    }
  }

  /// The number of the oldest file.
  private func highestNumber() -> Int {
    var number = 0
    while Identity(of: LogFile.path(of: path, number + 1)) != nil { number += 1 }
    return number
  }

  /// The file that came after one, if that is not the one that is written.
  private func next(after current: Opened) throws -> Opened? {
    // A renaming may come between two looks; it comes once in megabytes.
    for _ in 0..<100 {
      if Identity(of: path) == current.identity { return nil }
      let last = highestNumber()
      let place = (1...max(last, 1)).first {
        Identity(of: LogFile.path(of: path, $0)) == current.identity
      }
      // It is gone: what is left begins with the oldest.
      let number = place.map { $0 - 1 } ?? last
      guard let next = try Opened(LogFile.path(of: path, number)) else {
        // The log was removed, or the next file was not begun yet.
        if number == 0 { return nil }
        continue
      }
      guard let place else { return next }
      if Identity(of: LogFile.path(of: path, place)) == current.identity { return next }
    }
    return nil
  }

  /// Reads on.
  ///
  /// - Returns: Whether the file was read to its end.
  private mutating func read(
    _ file: Opened,
    into found: inout [String],
    atMost left: inout Int
  ) throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while left > 0 || found.isEmpty {
      let count: Int
      do {
        count = try buffer.withUnsafeMutableBytes {
          try file.descriptor.read(fromAbsoluteOffset: offset, into: $0)
        }
      } catch {
        throw DeploymentError(code: .cannotRead, message: "\(path) cannot be read: \(error)")
      }
      guard count > 0 else { return true }
      offset += Int64(count)
      left -= count
      for byte in buffer[..<count] {
        if byte == UInt8(ascii: "\n") {
          found.append(String(decoding: rest, as: UTF8.self))
          rest = []
        } else if rest.count < Self.longestLine {
          rest.append(byte)
        }
      }
    }
    return false
  }
}
