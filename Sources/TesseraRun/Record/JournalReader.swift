internal import SystemPackage

/// Finds the lines of a ``Journal`` in the pieces that a file is read in.
struct JournalReader {
  /// The lines so far.
  private(set) var chain = JournalChain()
  /// How many bytes they take.
  private(set) var wholeLines: Int64 = 0
  private var tail: [UInt8] = []
  private let path: FilePath

  /// A reader of the file at `path`, from its start.
  init(_ path: FilePath) {
    self.path = path
  }

  /// Calls `body` with each event that a piece of the file completes, and with the number of its line.
  ///
  /// - Throws: ``RunError`` naming the first line that is damaged, and whatever `body` throws.
  mutating func read(
    _ piece: ArraySlice<UInt8>,
    _ body: (_ event: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws {
    var piece = piece
    while let end = piece.firstIndex(of: JournalChain.newline) {
      if tail.isEmpty {
        try take(piece[..<end], body)
      } else {
        tail += piece[..<end]
        try take(tail[...], body)
        tail.removeAll(keepingCapacity: true)
      }
      piece = piece[(end + 1)...]
    }
    tail += piece
  }

  /// Says that there are no more pieces; what is left over is the beginning of a line that never was acknowledged.
  ///
  /// - Throws: ``RunError`` if it is a whole line with something else in place of its end.
  func finish() throws {
    var chain = chain
    guard chain.event(on: tail.dropLast()) == nil else { throw damage }
  }

  private mutating func take(
    _ line: ArraySlice<UInt8>,
    _ body: (_ event: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws {
    guard let event = chain.event(on: line) else { throw damage }
    wholeLines += Int64(line.count + 1)
    try body(event, chain.count)
  }

  private var damage: RunError {
    RunError(
      code: .malformedRecord,
      message: "\(path) is damaged: line \(chain.count + 1) is not as it was written"
    )
  }
}
