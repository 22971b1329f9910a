public import Foundation
internal import Synchronization
public import SystemPackage

/// A file of measurements that TensorBoard shows as curves.
///
///     let curves = try TensorBoardFile(in: folder.appending("global"), started: .now)
///     try curves.add(scalar: "accuracy", 0.71, step: round, at: .now)
///     try curves.flush()
///
/// `tensorboard --logdir FOLDER` shows each folder below `FOLDER` that has such files as a run. A run that is gone on with adds
/// a file to its folder: TensorBoard reads all of them, in the order of their names.
///
/// The file is a sequence of records, each with its length and checksums (TFRecord), each an `Event` message. TensorBoard
/// keeps numbers as `Float`. The file is for looking at; what a run did is in its ``RunRecord``.
public final class TensorBoardFile: Sendable {
  /// Where the file is.
  public let path: FilePath

  private struct Contents: ~Copyable {
    var file: AppendOnlyFile
    var pending: [UInt8] = []
    /// At how many pending bytes they are written.
    private(set) var due = Self.portion

    /// How many bytes are written at once.
    private static let portion = 1 << 16
    /// How many may be pending while they cannot be written.
    private static let mostPending = 1 << 20

    init(file: consuming AppendOnlyFile) { self.file = file }

    mutating func flush() throws {
      do {
        try file.append(pending, isDurable: false)
      } catch {
        // What cannot be written now comes with what is written next, as long as it is not much; each try costs the disk something.
        if pending.count > Self.mostPending { pending = [] }
        due = pending.count + Self.portion
        throw error
      }
      pending = []
      due = Self.portion
    }
  }
  private let contents: Mutex<Contents>

  /// Starts a file.
  ///
  /// - Parameters:
  ///   - folder: The run's folder, which is made if it is not there; its parent is.
  ///   - started: When the run began, or was gone on with.
  ///   - step: Of a run that is gone on with, the first step that is done now. What earlier files have of it and of later ones
  ///     is no longer shown: a run that was killed may have been further than what it is gone on from.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the system refuses.
  public init(in folder: FilePath, started: Date, goingOnAt step: Int? = nil) throws {
    if mkdir(folder.string, 0o777) != 0, errno != EEXIST {
      throw RunError(
        code: .cannotWrite,
        message: "cannot make the folder \(folder): \(Errno(rawValue: errno))"
      )
    }
    // As TensorFlow names them: the time first, so that the order of the names is that of the files.
    let seconds = Int64(exactly: started.timeIntervalSince1970.rounded(.down)) ?? 0
    let name = String(
      format: "events.out.tfevents.%010lld.%@.%d",
      max(0, seconds),
      ProcessInfo.processInfo.hostName.replacingOccurrences(of: "/", with: "-"),
      getpid()
    )
    var number = 0
    while access(folder.appending("\(name).\(number)").string, F_OK) == 0 { number += 1 }
    path = folder.appending("\(name).\(number)")
    contents = Mutex(Contents(file: try AppendOnlyFile(path, isNew: true)))

    var event = ProtobufMessage()
    event.add(started.timeIntervalSince1970, field: Field.wallTime)
    event.add("brain.Event:2", field: Field.fileVersion)
    append(event)
    if let step {
      var session = ProtobufMessage()
      session.add(Int64(1), field: Field.status)  // START
      var event = ProtobufMessage()
      event.add(started.timeIntervalSince1970, field: Field.wallTime)
      event.add(Int64(step), field: Field.step)
      event.add(session, field: Field.sessionLog)
      append(event)
    }
    try flush()
  }

  deinit {
    try? flush()
  }

  /// Adds a measurement.
  ///
  /// - Parameters:
  ///   - name: What was measured; TensorBoard groups names by what comes before a `/`.
  ///   - value: May be infinite or not a number.
  ///   - step: The round, the epoch or the batch.
  ///   - time: When.
  /// - Throws: ``RunError`` as ``TensorBoardFile/flush()`` does, which this calls from time to time.
  public func add(scalar name: String, _ value: Double, step: Int, at time: Date) throws {
    var measurement = ProtobufMessage()
    measurement.add(name, field: Field.tag)
    measurement.add(choice: Float(value), field: Field.simpleValue)
    var summary = ProtobufMessage()
    summary.add(measurement, field: Field.value)
    var event = ProtobufMessage()
    event.add(time.timeIntervalSince1970, field: Field.wallTime)
    event.add(Int64(step), field: Field.step)
    event.add(summary, field: Field.summary)
    append(event)
    try contents.withLock { if $0.pending.count >= $0.due { try $0.flush() } }
  }

  /// Writes what has been added, for TensorBoard to see.
  ///
  /// It is written when the last reference to the file goes, too.
  ///
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if the system refuses. The file is whole then, and what was added
  ///   since the last time is written with what comes next; if that is more than a megabyte, it is left out.
  public func flush() throws {
    try contents.withLock { try $0.flush() }
  }

  /// The numbers of the fields that are written, in `Event`, `SessionLog`, `Summary` and `Summary.Value`.
  private enum Field {
    static let wallTime: UInt64 = 1
    static let step: UInt64 = 2
    static let fileVersion: UInt64 = 3
    static let summary: UInt64 = 5
    static let sessionLog: UInt64 = 7
    static let status: UInt64 = 1
    static let value: UInt64 = 1
    static let tag: UInt64 = 1
    static let simpleValue: UInt64 = 2
  }

  private func append(_ event: ProtobufMessage) {
    func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }
    /// Turned and shifted, as a checksum over what contains checksums is weak.
    func masked(_ bytes: [UInt8]) -> UInt32 {
      let checksum = CRC32C.checksum(of: bytes)
      return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
    }
    let length = bytes(UInt64(event.bytes.count))
    let record =
      length + bytes(masked(length)) + event.bytes + bytes(masked(event.bytes))
    contents.withLock { $0.pending += record }
  }
}
