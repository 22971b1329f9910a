internal import Crypto

/// The lines of a ``Journal``, each of which vouches for those before it.
///
///     {"check":"9f86d081884c7d65","number":17,"event":{"round":3}}
///
/// `check` is the beginning of a SHA-256 digest, of the line before's `check` and of everything that follows its own. So a
/// line that is changed, missing, added or moved shows, and only lines missing at the end do not.
struct JournalChain: LineChain {
  /// How many lines there are.
  private(set) var count = 0
  // What the first line follows: it says which form the lines have.
  private var check = Self.check(of: Array("tessera journal 1".utf8))

  /// The next line.
  mutating func line(_ event: [UInt8]) -> [UInt8] {
    let rest = head + event + Self.tail
    advance(past: rest)
    return Self.start + check + rest
  }

  /// The event on the next line, or `nil` if the line is damaged.
  mutating func content(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    let head = head
    guard line.count >= Self.start.count + check.count + head.count + Self.tail.count else {
      return nil
    }
    let rest = line.dropFirst(Self.start.count + check.count)
    var next = self
    next.advance(past: rest)
    guard line.starts(with: Self.start), line.dropFirst(Self.start.count).starts(with: next.check),
      rest.starts(with: head), rest.suffix(Self.tail.count).elementsEqual(Self.tail)
    else { return nil }
    self = next
    return rest.dropFirst(head.count).dropLast(Self.tail.count)
  }

  private static let start = Array(#"{"check":""#.utf8)
  private static let tail = Array("}".utf8)

  /// What follows the next line's check.
  private var head: [UInt8] { Array(#"","number":\#(count + 1),"event":"#.utf8) }

  private mutating func advance(past rest: some Sequence<UInt8>) {
    check = Self.check(of: check + rest)
    count += 1
  }

  /// The first 16 hexadecimal digits of the digest of `bytes`.
  private static func check(of bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return SHA256.hash(data: bytes).prefix(8).flatMap {
      [digits[Int($0 >> 4)], digits[Int($0 & 15)]]
    }
  }
}
