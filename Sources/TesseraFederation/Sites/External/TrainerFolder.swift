internal import Foundation
internal import Glibc
internal import SystemPackage
internal import TesseraCore

/// The private folder that a site shares with its trainer: the socket, and the files of tensors.
///
/// Nobody but their user can enter it. What the trainer puts there is not trusted: files are opened without following links, by
/// names that cannot lead elsewhere, and copied before anything of them is believed.
final class TrainerFolder: Sendable {
  /// Where it is.
  let path: FilePath
  /// A file that is locked as long as this process lives.
  private let lock: Int32

  /// How long the address of a Unix socket may be, with the zero byte at its end.
  private static let longestAddress = 108
  /// The name of the socket.
  private static let socketName = "socket"
  private static let lockName = "lock"
  private static let prefix = "tessera-trainer-"

  /// Makes the folder, and removes those of processes that were killed.
  ///
  /// - Parameter parent: Where; the system's place for temporary files if `nil`, or where paths are short enough for a socket.
  /// - Throws: ``FederationError`` if the system refuses.
  init(in parent: FilePath? = nil) throws {
    let standard = FilePath(FileManager.default.temporaryDirectory.path)
    var chosen = parent ?? standard
    if chosen.string.utf8.count + 32 > Self.longestAddress { chosen = "/tmp" }
    Self.removeLeftovers(in: chosen)
    var template = Array("\(chosen.appending("\(Self.prefix)XXXXXX").string)\0".utf8CString)
    guard
      let made = template.withUnsafeMutableBufferPointer({ buffer in
        buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
      })
    else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "cannot make a folder for a trainer in \(chosen): \(Errno(rawValue: errno))"
      )
    }
    path = FilePath(made)
    // Whoever sees the file by its name finds it locked.
    let (unlocked, locked) = (path.appending("\(Self.lockName).new"), path.appending(Self.lockName))
    lock = open(unlocked.string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if lock >= 0 {
      flock(lock, LOCK_EX | LOCK_NB)
      rename(unlocked.string, locked.string)
    }
  }

  deinit {
    remove()
    if lock >= 0 { close(lock) }
  }

  /// Removes this user's folders whose processes are gone: they hold models.
  private static func removeLeftovers(in parent: FilePath) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent.string)) ?? []
    for name in names where name.hasPrefix(prefix) {
      let folder = parent.appending(name)
      let found = open(
        folder.appending(lockName).string,
        O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
      )
      guard found >= 0 else { continue }
      var status = stat()
      if fstat(found, &status) == 0, status.st_uid == geteuid(),
        flock(found, LOCK_EX | LOCK_NB) == 0
      {
        try? FileManager.default.removeItem(atPath: folder.string)
      }
      close(found)
    }
  }

  /// The socket's path.
  var socket: FilePath { path.appending(Self.socketName) }

  /// Removes the folder with all that is in it.
  func remove() { try? FileManager.default.removeItem(atPath: path.string) }

  /// Writes the tensors of a task.
  ///
  /// - Returns: The file's name.
  func write(_ model: ModelState, task: Int) throws -> String {
    let name = "task-\(task).safetensors"
    try model.write(to: path.appending(name), isDurable: false)
    return name
  }

  /// Removes a file, if it is there.
  func remove(_ name: String) {
    guard Self.isPlain(name) else { return }
    unlink(path.appending(name).string)
  }

  /// Reads tensors that the trainer has written, and removes their file.
  ///
  /// - Parameters:
  ///   - name: What the trainer calls the file.
  ///   - largest: How many bytes it may have.
  /// - Returns: The tensors.
  /// - Throws: ``TrainerViolation`` if it is not a file of this folder, or not one of tensors.
  func take(_ name: String, atMost largest: Int) throws -> ModelState {
    guard Self.isPlain(name) else {
      throw TrainerViolation(
        "a file's name must be of 1 to 200 letters, digits, '-', '_' and '.', and not begin with '.'"
      )
    }
    let file = path.appending(name)
    // Not to wait for the other end of a pipe, nor to follow a link.
    let descriptor = open(file.string, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw TrainerViolation("its file cannot be opened: \(Errno(rawValue: errno))")
    }
    defer {
      Glibc.close(descriptor)
      unlink(file.string)
    }
    do {
      let tensors = try SafeTensors(
        copying: FileDescriptor(rawValue: descriptor),
        named: FilePath(name),
        atMost: largest
      )
      return try ModelState(tensors)
    } catch let error as TensorError {
      throw TrainerViolation(error.message.printable(atMost: 500))
    }
  }

  private static func isPlain(_ name: String) -> Bool {
    (1...200).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
      && name != socketName && name != lockName
      && name.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
      }
  }
}

extension String {
  /// The text as one line without what moves a terminal's cursor.
  func printable(atMost count: Int) -> String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.prefix(count).map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
            .unassigned:
            "?"
          default: scalar
          }
        }
      )
    )
  }
}
