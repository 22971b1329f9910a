internal import CProcess
internal import Foundation
internal import Glibc
internal import SystemPackage

/// The site's end of the way to its trainer: a Unix socket that takes one connection, of the same user, for each process.
struct TrainerSocket: ~Copyable {
  /// Waits for the trainer; -1 if it has come, or nobody was started.
  private(set) var listener: Int32 = -1
  /// The connection; -1 if there is none.
  private(set) var connection: Int32 = -1
  /// What is no line yet; `nil` if nothing that comes is looked at any more.
  private var incoming: LineBuffer?
  /// What the system has not taken yet.
  private var outgoing: [UInt8] = []

  init() {}

  deinit {
    if listener >= 0 { close(listener) }
    if connection >= 0 { close(connection) }
  }

  /// Whether there is something to write.
  var hasOutgoing: Bool { !outgoing.isEmpty }

  /// Waits for the next process.
  ///
  /// - Throws: `Errno` if the system refuses.
  mutating func listen(at path: FilePath) throws {
    hangUp()
    incoming = LineBuffer(longest: TrainerMessage.longestLine)
    unlink(path.string)
    let made = tessera_listen(path.string)
    guard made >= 0 else { throw Errno(rawValue: errno) }
    listener = made
  }

  /// Takes who has come, if it is of this user.
  mutating func accept() {
    let accepted = tessera_accept(listener)
    guard accepted >= 0 else { return }
    // Nobody else comes.
    close(listener)
    listener = -1
    connection = accepted
  }

  /// Closes what is open.
  mutating func hangUp() {
    if listener >= 0 { close(listener) }
    if connection >= 0 { close(connection) }
    listener = -1
    connection = -1
    outgoing = []
  }

  /// What reading came to.
  enum Read {
    /// Lines that are complete, perhaps none yet; there may be more.
    case lines([[UInt8]])
    /// There is nothing now.
    case nothing
    /// There will be nothing more.
    case end
  }

  /// Takes what has come, up to 64 KiB.
  ///
  /// - Throws: ``TrainerViolation`` if a line is too long; whatever comes afterwards is dropped.
  mutating func read() throws -> Read {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(connection, &bytes, bytes.count, 0)
      if count > 0 {
        do {
          return .lines(try incoming?.take(bytes.prefix(count)) ?? [])
        } catch {
          incoming = nil
          throw error
        }
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN || errno == EWOULDBLOCK { return .nothing }
      return .end
    }
  }

  /// Sends bytes, as many as the system takes now, and the rest later.
  mutating func send(_ bytes: [UInt8] = []) {
    outgoing += bytes
    guard connection >= 0 else {
      outgoing = []
      return
    }
    while !outgoing.isEmpty {
      let count = Glibc.send(connection, outgoing, outgoing.count, Int32(MSG_NOSIGNAL))
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN || errno == EWOULDBLOCK { return }
      guard count > 0 else {
        // That it is gone, reading says.
        outgoing = []
        return
      }
      outgoing.removeFirst(count)
    }
  }
}
