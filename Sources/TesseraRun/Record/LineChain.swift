/// The lines of a file that only grows, each of which vouches for those before it.
package protocol LineChain: Sendable {
  /// How many lines there are.
  var count: Int { get }

  /// The next line that holds `content`, without its end.
  mutating func line(_ content: [UInt8]) throws -> [UInt8]

  /// What the next line, without its end, holds, or `nil` if it is damaged; the chain is then as before.
  mutating func content(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>?
}

extension LineChain {
  /// What ends a line.
  static var newline: UInt8 { UInt8(ascii: "\n") }
}
