internal import Foundation
internal import Synchronization
public import SystemPackage

/// A file of log lines that begins anew when it is full, and of which only so many are kept.
///
/// `server.jsonl` is the one that is written; `server.1.jsonl` is the one before, and so on. A line is in a file as a whole or not
/// at all, and nothing that goes wrong with a file stops a program: lines are then counted instead.
public final class LogFile: Sendable {
  /// How much is kept.
  public struct Limits: Sendable, Hashable {
    /// When a file is full, in bytes.
    public var fileSize: Int
    /// How many files are kept, with the one that is written.
    public var fileCount: Int

    /// Limits; of 8 files with 16 MiB each by default.
    public init(fileSize: Int = 16 << 20, fileCount: Int = 8) {
      self.fileSize = max(1, fileSize)
      self.fileCount = max(1, fileCount)
    }

    /// The limits of one job's log: 4 files with 4 MiB each.
    public static let job = Limits(fileSize: 4 << 20, fileCount: 4)
  }

  /// What became of a line.
  enum Outcome: Equatable {
    /// It is in the file.
    case written
    /// It is in the file, after so many that are not.
    case recovered(lost: Int)
    /// It is not in the file, the first after one that is; why.
    case failed(String)
    /// It is not in the file, as those before.
    case lost
  }

  /// Where it is.
  public let path: FilePath
  private let limits: Limits

  private struct State {
    var descriptor: FileDescriptor?
    var size: Int64 = 0
    var lost = 0
  }
  private let state = Mutex(State())

  /// A file, which is made when the first line comes.
  public init(_ path: FilePath, limits: Limits = Limits()) {
    self.path = path
    self.limits = limits
  }

  deinit { close() }

  /// Lets go of the file; the next line opens it again.
  func close() {
    state.withLock { state in
      try? state.descriptor?.close()
      state.descriptor = nil
    }
  }

  /// Adds a line, without its end.
  ///
  /// - Parameters:
  ///   - line: The line.
  ///   - note: A line that says how many are missing before it.
  /// - Returns: What became of it.
  func append(_ line: String, afterLosing note: (Int) -> String) -> Outcome {
    state.withLock { state in
      do {
        let lost = state.lost
        if lost > 0 {
          try write(note(lost), &state)
          state.lost = 0
        }
        try write(line, &state)
        return lost == 0 ? .written : .recovered(lost: lost)
      } catch {
        state.lost += 1
        return state.lost == 1 ? .failed("\(path) cannot be written: \(error)") : .lost
      }
    }
  }

  private func write(_ line: String, _ state: inout State) throws {
    let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
    var descriptor = try state.descriptor ?? open(&state)
    if state.size > 0, state.size + Int64(bytes.count) > Int64(limits.fileSize) {
      try descriptor.close()
      state.descriptor = nil
      rotate()
      descriptor = try open(&state)
    }
    do {
      try descriptor.writeAll(bytes)
      state.size += Int64(bytes.count)
    } catch {
      // A part of a line would spoil the next one.
      try? descriptor.resize(to: state.size)
      throw error
    }
  }

  private func open(_ state: inout State) throws -> FileDescriptor {
    let descriptor = try FileDescriptor.open(
      path,
      .writeOnly,
      options: [.create, .append, .closeOnExec],
      permissions: [.ownerReadWrite, .groupRead]
    )
    do {
      state.size = try descriptor.seek(offset: 0, from: .end)
    } catch {
      try? descriptor.close()
      throw error
    }
    state.descriptor = descriptor
    return descriptor
  }

  /// Makes room for a new file; the oldest goes.
  private func rotate() {
    for number in stride(from: limits.fileCount - 1, through: 1, by: -1) {
      rename(Self.path(of: path, number - 1).string, Self.path(of: path, number).string)
    }
    if limits.fileCount == 1 { unlink(path.string) }
  }

  /// The path of the file that was written so many files ago.
  static func path(of path: FilePath, _ number: Int) -> FilePath {
    guard number > 0, let name = path.lastComponent else { return path }
    let end = name.extension.map { ".\($0)" } ?? ""
    return path.removingLastComponent().appending("\(name.stem).\(number)\(end)")
  }
}
