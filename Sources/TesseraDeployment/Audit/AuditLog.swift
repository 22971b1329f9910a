internal import Crypto
internal import Dispatch
public import Foundation
internal import Synchronization
public import SystemPackage
public import TesseraProvisioning
internal import TesseraRun

/// What a participant has done and decided, in a file that shows whether anything in it was changed.
///
///     let log = try AuditLog(of: kit)
///     try log.append(.taskGiven(task, digest: digest))  // is on the disk when this returns
///
/// The file holds a line of JSON for each event: its number, the digest of the line before it, and the participant's signature.
/// Beside it, in `.head`, lies which line was the last, signed too. So ``verify(at:keys:since:)`` finds every line that was
/// altered, removed, added or moved, those at the end too; after a kill, those at the end that were not yet durable could be
/// removed unseen, as if the kill had come earlier.
///
/// Whatever is in the log outlives a kill of the process from the moment at which ``append(contentsOf:isDurable:)`` or
/// ``settle()`` returns. A power cut can take with it what was added in the last second without being durable: the tasks, filters,
/// budgets and answers of rounds, for which nobody waits for the disk. Who asked for what, states of jobs, and that the log was
/// opened, are durable when they are there.
///
/// What it cannot find: the end of a log that is gone together with all that came after an earlier copy of both files, unless
/// somebody has kept a later ``AuditHead``; and what was written by somebody who has the participant's signing key.
public final class AuditLog: Sendable {
  /// Where the file lies.
  public let path: FilePath
  private let lines: ChainedLines<AuditChain>
  private let clock: @Sendable () -> Date
  /// Signs and writes what nobody waits for.
  private let background = DispatchQueue(label: "tessera.audit")
  /// Whether what is with the system alone will get to the disk.
  private let isSynchronizing = Mutex(false)

  /// How long lines may be with the system alone, in seconds.
  private static let longestDelay = 1.0

  /// Where the log of a kit's participant lies.
  public static func path(of kit: FilePath) -> FilePath {
    kit.appending("audit").appending("audit.jsonl")
  }

  /// Opens the log of a kit's participant, or begins it.
  ///
  /// - Throws: As ``init(at:participant:project:signingKey:clock:)``.
  public convenience init(
    of kit: StartupKit,
    clock: @escaping @Sendable () -> Date = { Date() }
  ) throws {
    let path = Self.path(of: kit.folder)
    let folder = path.removingLastComponent()
    do {
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700]
      )
    } catch {
      throw DeploymentError(code: .cannotWrite, message: "the folder \(folder) cannot be made")
    }
    try self.init(
      at: path,
      participant: kit.participant.name,
      project: kit.project,
      signingKey: kit.signingKey(),
      clock: clock
    )
  }

  /// Opens a log, or begins one; the log says so.
  ///
  /// The beginning of a line that a kill has left at the end is cut off, which the log says, too.
  ///
  /// - Parameters:
  ///   - path: The file, in a folder that is there.
  ///   - participant: Whose it is.
  ///   - project: The federation.
  ///   - signingKey: The participant's Ed25519 key, 32 bytes.
  ///   - clock: What time it is.
  /// - Throws: ``DeploymentError``, naming the file: ``DeploymentError/Code/altered`` if lines do not follow from each other, or
  ///   are missing at the end; ``DeploymentError/Code/unavailable`` if another process has it open;
  ///   ``DeploymentError/Code/cannotWrite`` if the system refuses.
  public init(
    at path: FilePath,
    participant: String,
    project: String,
    signingKey: Data,
    clock: @escaping @Sendable () -> Date = { Date() }
  ) throws {
    self.path = path
    self.clock = clock
    guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: signingKey) else {
      throw DeploymentError(code: .invalidArgument, message: "the key of \(path) is none")
    }
    var repairs: [AuditEvent] = []
    lines = try Self.reporting(path) {
      let file = AuditHeadFile(of: path)
      let contents = try file.contents()
      let found = contents.flatMap { AuditHead(signed: $0, by: [key.publicKey]) }
      let (lines, torn, hasHole) = try ChainedLines.open(
        at: path,
        from: AuditChain(key, watching: found?.number),
        // After the head alone are lines that nobody has waited for; without one, all may have been.
        endsAtHoles: found != nil,
        forEach: { _, _ in },
        // Before anything is cut off: what was altered is evidence.
        examine: { if let found { try Self.require(found, in: $0, of: path) } },
        didSynchronize: { try file.write(AuditHead(number: $0.count, digest: $0.digest), key) }
      )
      let chain = lines.chain
      if found == nil, chain.count > 0 {
        let what = contents != nil ? "is not this participant's" : "is missing"
        repairs.append(
          .repaired(
            reason:
              "\(file.path) \(what): whether lines are missing after line \(chain.count) is unknown",
            damage: .withoutHead
          )
        )
      }
      // Before the first line: a kill before the first head would look as if the head were gone.
      if chain.count == 0, contents == nil {
        try file.write(AuditHead(number: 0, digest: AuditLine.start), key)
      }
      if torn > 0 {
        repairs.append(
          .repaired(
            reason: hasHole
              ? "\(torn) bytes were cut off, of lines of which not all had reached the disk"
              : "\(torn) bytes of a line that was not finished were cut off",
            damage: .tornLine
          )
        )
      }
      return lines
    }
    let opening = AuditEvent.opened(
      participant: participant,
      project: project,
      version: Versions.tessera
    )
    try append(contentsOf: [opening] + repairs)
  }

  /// Refuses a log that is not what its head says.
  private static func require(
    _ head: AuditHead,
    in chain: AuditChain,
    of path: FilePath
  ) throws {
    guard head.number <= chain.count else {
      throw DeploymentError(
        code: .altered,
        message: """
          \(path) was altered: it ends with line \(chain.count), and had \(head.number). Keep both files as they are, and \
          move them away to begin a new log
          """
      )
    }
    guard chain.watched[head.number] == head.digest else {
      throw DeploymentError(
        code: .altered,
        message: "\(path) was altered: line \(head.number) is not the one that was there"
      )
    }
  }

  deinit {
    // What was only handed to the system gets to the disk, and the head with it. If not, the next opening finds what is there.
    try? lines.append([])
  }

  /// Which line is the last.
  public var head: AuditHead {
    let chain = lines.chain
    return AuditHead(number: chain.count, digest: chain.digest)
  }

  /// Adds an event.
  ///
  /// - Parameters:
  ///   - event: What has happened.
  ///   - isDurable: As of ``append(contentsOf:isDurable:)``.
  /// - Throws: As ``append(contentsOf:isDurable:)``.
  public func append(_ event: AuditEvent, isDurable: Bool = true) throws {
    try append(contentsOf: [event], isDurable: isDurable)
  }

  /// Adds events next to each other.
  ///
  /// Any thread may call this, and those that call at once wait for the disk together.
  ///
  /// - Parameters:
  ///   - events: What has happened, in order.
  ///   - isDurable: Whether they are on the disk when this returns. If not, they are with the system, which keeps them through a
  ///     kill but not through a power cut, and get to the disk with the next that are durable, or within a second.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotWrite``: then nothing may be done that follows from them.
  ///   They are not in the log, unless it was the head that could not be written.
  public func append(contentsOf events: [AuditEvent], isDurable: Bool = true) throws {
    if events.isEmpty { return }
    let time = clock()
    try Self.reporting(path) {
      try lines.append(
        events.map { try AuditEntry(time: time, event: $0).encoded() },
        isDurable: isDurable
      )
    }
    if !isDurable { synchronizeSoon() }
  }

  /// Adds events next to each other, without waiting until they are signed and written.
  ///
  /// They come before all that is added later. A kill can take them with it until ``settle()`` or another call that adds
  /// something returns: who calls this does so before anything follows from them.
  ///
  /// - Parameter events: What has happened, in order.
  /// - Throws: If an event cannot be written down.
  public func enqueue(_ events: [AuditEvent]) throws {
    if events.isEmpty { return }
    let time = clock()
    lines.enqueue(try events.map { try AuditEntry(time: time, event: $0).encoded() })
    background.async { [weak self] in
      // What cannot be written stays, and is said to who waits for it.
      try? self?.settle()
    }
  }

  /// Waits until all that was added is with the system, as ``append(contentsOf:isDurable:)`` leaves it without being durable.
  ///
  /// - Throws: As ``append(contentsOf:isDurable:)``.
  public func settle() throws {
    try Self.reporting(path) { try lines.append([], isDurable: false) }
    synchronizeSoon()
  }

  /// Brings what is with the system to the disk: once for all that comes within a second.
  private func synchronizeSoon() {
    let isScheduled = isSynchronizing.withLock { flag in
      defer { flag = true }
      return flag
    }
    guard !isScheduled else { return }
    background.asyncAfter(deadline: .now() + Self.longestDelay) { [weak self] in
      guard let self else { return }
      isSynchronizing.withLock { $0 = false }
      // If it fails, so does the next that is durable, and says so.
      try? lines.append([])
    }
  }

  /// Hands over what a log tells, oldest first, also while it is open.
  ///
  /// Nothing is checked; lines that this version cannot read are left out.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if there is no log, and what `body` throws.
  public static func read(
    at path: FilePath,
    forEach body: (_ number: Int, AuditEntry) throws -> Void
  ) throws {
    try reporting(path, unless: .cannotRead) {
      _ = try ChainedLines.read(at: path, from: AuditScan()) { line, _ in
        guard let parts = AuditLine(line), let entry = AuditEntry(encoded: parts.entry) else {
          return
        }
        try body(parts.number, entry)
      }
    }
  }

  static func reporting<Value>(
    _ path: FilePath,
    unless malformed: DeploymentError.Code = .altered,
    _ body: () throws -> Value
  ) throws -> Value {
    do {
      return try body()
    } catch let error as RunError {
      throw switch error.code {
      case .inUse: DeploymentError(code: .unavailable, message: error.message)
      case .malformedRecord: DeploymentError(code: malformed, message: error.message)
      default: DeploymentError(code: .cannotWrite, message: error.message)
      }
    }
  }
}

/// Lines as they are, whatever they are.
struct AuditScan: LineChain {
  private(set) var count = 0

  mutating func line(_ content: [UInt8]) -> [UInt8] {
    count += 1
    return content
  }

  mutating func content(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    count += 1
    return line
  }
}
