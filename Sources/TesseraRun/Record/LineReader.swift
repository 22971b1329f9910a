internal import SystemPackage

/// Finds the lines of a ``LineChain`` in the pieces that a file is read in.
package struct LineReader<Chain: LineChain> {
  /// The lines so far.
  package private(set) var chain: Chain
  /// How many bytes they take.
  package private(set) var wholeLines: Int64 = 0
  /// What follows them: the beginning of a line.
  package private(set) var tail: [UInt8] = []
  private let path: FilePath

  /// A reader of the file at `path`, from its start.
  init(_ path: FilePath, _ chain: Chain) {
    self.path = path
    self.chain = chain
  }

  /// Calls `body` with what each line that a piece of the file completes holds, and with the number of the line.
  ///
  /// - Throws: ``RunError`` naming the first line that is damaged, and whatever `body` throws.
  mutating func read(
    _ piece: ArraySlice<UInt8>,
    _ body: (_ content: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws {
    var piece = piece
    while let end = piece.firstIndex(of: Chain.newline) {
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
    guard chain.content(of: tail.dropLast()) == nil else { throw damage }
  }

  private mutating func take(
    _ line: ArraySlice<UInt8>,
    _ body: (_ content: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws {
    guard let content = chain.content(of: line) else { throw damage }
    wholeLines += Int64(line.count + 1)
    try body(content, chain.count)
  }

  private var damage: RunError {
    RunError(
      code: .malformedRecord,
      message: "\(path) is damaged: line \(chain.count + 1) is not as it was written"
    )
  }
}
