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
  private let endsAtHoles: Bool
  /// Whether a hole was found, after which nothing counts.
  package private(set) var hasHole = false

  /// What file systems write as a whole, or not at all, in bytes: blocks of one such, or of several.
  private static var sector: Int64 { 512 }

  /// A reader of the file at `path`, from its start.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - chain: The chain before its first line.
  ///   - endsAtHoles: Whether zeros that a power cut has left in the place of what did not reach the disk end the lines, as
  ///     the end of the file does; if not they are damage.
  init(_ path: FilePath, _ chain: Chain, endsAtHoles: Bool = false) {
    self.path = path
    self.chain = chain
    self.endsAtHoles = endsAtHoles
  }

  /// Calls `body` with what each line that a piece of the file completes holds, and with the number of the line.
  ///
  /// - Throws: ``RunError`` naming the first line that is damaged, and whatever `body` throws.
  mutating func read(
    _ piece: ArraySlice<UInt8>,
    _ body: (_ content: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws {
    var piece = piece
    while !hasHole, let end = piece.firstIndex(of: Chain.newline) {
      if tail.isEmpty {
        try take(piece[..<end], body)
      } else {
        tail += piece[..<end]
        try take(tail[...], body)
        tail.removeAll(keepingCapacity: true)
      }
      piece = piece[(end + 1)...]
    }
    if !hasHole { tail += piece }
  }

  /// Says that there are no more pieces; what is left over is the beginning of a line that never was acknowledged.
  ///
  /// - Throws: ``RunError`` if it is a whole line with something else in place of its end.
  func finish() throws {
    if hasHole { return }
    var chain = chain
    guard chain.content(of: tail.dropLast()) == nil else { throw damage }
  }

  private mutating func take(
    _ line: ArraySlice<UInt8>,
    _ body: (_ content: ArraySlice<UInt8>, _ line: Int) throws -> Void
  ) throws {
    guard let content = chain.content(of: line) else {
      guard endsAtHoles, isHole(in: line) else { throw damage }
      hasHole = true
      return
    }
    wholeLines += Int64(line.count + 1)
    try body(content, chain.count)
  }

  /// Whether zeros stand in a line as a power cut leaves them.
  ///
  /// They begin where the lines ended that were on the disk, or a sector begins, and end where one ends. Lines hold none, and other
  /// zeros were written.
  private func isHole(in line: ArraySlice<UInt8>) -> Bool {
    guard let first = line.firstIndex(of: 0) else { return false }
    let last = line[first...].firstIndex { $0 != 0 } ?? line.endIndex
    let (start, end) = (Int64(first - line.startIndex), Int64(last - line.startIndex))
    return (start == 0 || (wholeLines + start) % Self.sector == 0)
      && (wholeLines + end) % Self.sector == 0
  }

  private var damage: RunError {
    RunError(
      code: .malformedRecord,
      message: "\(path) is damaged: line \(chain.count + 1) is not as it was written"
    )
  }
}
