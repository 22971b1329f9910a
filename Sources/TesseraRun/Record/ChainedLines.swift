internal import Foundation
internal import Synchronization
package import SystemPackage

/// A file of lines that only grows, and that outlives whatever happens to its process.
///
/// Any thread may add lines, and those that do so at once wait for the disk together. A kill or a power cut can leave the
/// beginning of a line at the end, which the next ``open(at:from:endsAtHoles:forEach:examine:didSynchronize:)`` cuts off. Of lines that
/// were not waited for, a power cut can leave a hole of zeros with later ones after it: whoever has such lines says so, and has it cut
/// off, too. Any other damage is an error, and changes nothing.
package final class ChainedLines<Chain: LineChain>: Sendable {
  /// What has been called for and is not being written yet, in the order of the calls.
  private struct Queue {
    var lines: [Line] = []
    var isDurable = false
    var lastCall = 0
  }

  /// What a line is to hold, and whether somebody waits until it is written.
  private struct Line {
    var content: [UInt8]
    var isAwaited: Bool
  }

  /// What is written, and what became of the calls.
  private struct Log: ~Copyable {
    var file: AppendOnlyFile
    var chain: Chain
    /// Calls up to this one have been written, or have failed.
    var lastCall = 0
    var failures: [Int: RunError] = [:]
  }

  private let queue = Mutex(Queue())
  private let log: Mutex<Log>
  private let didSynchronize: @Sendable (Chain) throws -> Void

  private init(
    _ file: consuming AppendOnlyFile,
    _ chain: Chain,
    _ didSynchronize: @escaping @Sendable (Chain) throws -> Void
  ) {
    log = Mutex(Log(file: file, chain: chain))
    self.didSynchronize = didSynchronize
  }

  /// Opens a file, or starts one, and reads what is there.
  ///
  /// - Parameters:
  ///   - path: The file, in a folder that is there.
  ///   - chain: The chain before the first line.
  ///   - endsAtHoles: Whether there are lines that nobody has waited for: a hole that a power cut leaves in those ends the lines. Where all
  ///     were waited for, it is damage.
  ///   - body: Is given what each line holds, oldest first, and the line's number.
  ///   - examine: Is given the chain of the lines that are there, before anything is cut off; throwing leaves the file as it is.
  ///   - didSynchronize: Is given the chain as it is on the disk, one call at a time, whenever it has got there; what it throws
  ///     is thrown at those who have added lines.
  /// - Returns: The lines, which no one else can open as long as they are kept; how many bytes were cut off; and whether those began with
  ///   a hole, and not with the beginning of a line.
  /// - Throws: ``RunError`` with code ``RunError/Code/malformedRecord``, naming file and line, if it is damaged; with code
  ///   ``RunError/Code/inUse`` if another has it open; with code ``RunError/Code/cannotWrite`` if the system refuses; and what
  ///   `body` and `examine` throw.
  package static func open(
    at path: FilePath,
    from chain: Chain,
    endsAtHoles: Bool = false,
    forEach body: (_ content: ArraySlice<UInt8>, _ line: Int) throws -> Void,
    examine: (Chain) throws -> Void = { _ in },
    didSynchronize: @escaping @Sendable (Chain) throws -> Void = { _ in }
  ) throws -> (lines: ChainedLines, torn: Int64, hasHole: Bool) {
    var file = try AppendOnlyFile(path)
    var reader = LineReader(path, chain, endsAtHoles: endsAtHoles)
    try file.read { try reader.read($0, body) }
    try reader.finish()
    try examine(reader.chain)
    let torn = file.byteCount - reader.wholeLines
    if torn > 0 { try file.cut(to: reader.wholeLines) }
    return (ChainedLines(file, reader.chain, didSynchronize), torn, reader.hasHole)
  }

  /// Hands over what the lines of a file hold now, one by one, also while another has it open.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - chain: The chain before the first line.
  ///   - endsAtHoles: As of ``open(at:from:endsAtHoles:forEach:examine:didSynchronize:)``.
  ///   - body: Is given what each line holds, oldest first, and the line's number.
  /// - Returns: The reader at the end of the file.
  /// - Throws: ``RunError`` with code ``RunError/Code/malformedRecord``, naming file and line, if it is damaged.
  @discardableResult
  package static func read(
    at path: FilePath,
    from chain: Chain,
    endsAtHoles: Bool = false,
    forEach body: (_ content: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws -> LineReader<Chain> {
    var reader = LineReader(path, chain, endsAtHoles: endsAtHoles)
    guard let file = FileHandle(forReadingAtPath: path.string) else {
      throw RunError(code: .malformedRecord, message: "\(path) cannot be read")
    }
    defer { try? file.close() }
    while let piece = try file.read(upToCount: 1 << 20), !piece.isEmpty {
      try reader.read(Array(piece)[...], body)
    }
    return reader
  }

  /// The chain as it is now.
  package var chain: Chain { log.withLock { $0.chain } }

  /// Adds lines next to each other, in the order of the calls.
  ///
  /// - Parameters:
  ///   - contents: What the lines hold, one by one. A kill in the meantime can leave the first of them alone.
  ///   - isDurable: Whether they are on the disk when this returns, and not only with the system, where a kill does no harm but
  ///     a power cut does.
  /// - Throws: ``RunError`` with code ``RunError/Code/cannotWrite`` if they are not; none of them is added then. If the disk was
  ///   only full, later calls may succeed.
  package func append(_ contents: [[UInt8]], isDurable: Bool = true) throws {
    let call = queue.withLock { queue in
      queue.lines += contents.map { Line(content: $0, isAwaited: true) }
      queue.isDurable = queue.isDurable || isDurable
      queue.lastCall += 1
      return queue.lastCall
    }
    // Whoever gets here first writes what all have called for; to the others it is done when they get here.
    try log.withLock { log in
      if log.lastCall < call { write(&log) }
      if let failure = log.failures.removeValue(forKey: call) { throw failure }
    }
  }

  /// Adds lines that nobody waits for now: they are written with the next that somebody does, before these.
  ///
  /// If that fails they stay, and are tried again the next time; so whoever has called ``append(_:isDurable:)`` after this knows
  /// that they are written.
  ///
  /// - Parameter contents: What the lines hold, one by one.
  package func enqueue(_ contents: [[UInt8]]) {
    queue.withLock { $0.lines += contents.map { Line(content: $0, isAwaited: false) } }
  }

  /// Writes what has been called for.
  private func write(_ log: inout Log) {
    let batch = queue.withLock { queue in
      defer {
        queue.lines = []
        queue.isDurable = false
      }
      return queue
    }
    var isWritten = false
    do {
      var chain = log.chain
      var lines: [UInt8] = []
      for line in batch.lines {
        lines += try chain.line(line.content)
        lines.append(Chain.newline)
      }
      try log.file.append(lines, isDurable: batch.isDurable)
      log.chain = chain
      isWritten = true
      if batch.isDurable { try didSynchronize(chain) }
    } catch {
      let failure = error as? RunError ?? RunError(code: .cannotWrite, message: "\(error)")
      for call in log.lastCall + 1...batch.lastCall { log.failures[call] = failure }
      let kept = isWritten ? [] : batch.lines.filter { !$0.isAwaited }
      if !kept.isEmpty { queue.withLock { $0.lines.insert(contentsOf: kept, at: 0) } }
    }
    log.lastCall = batch.lastCall
  }
}
