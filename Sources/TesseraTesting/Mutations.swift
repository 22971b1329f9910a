public import TesseraCore
public import Testing

/// Records an issue if reading a damaged file fails with anything but the reader's own error, or is never noticed.
///
/// The file is cut at many places and changed at random ones, from a key, so that a failure can be repeated.
///
/// - Parameters:
///   - type: The reader's error.
///   - original: A file that is read without an error.
///   - key: Draws the damage.
///   - count: How many changed files are tried, and at most how many cut ones.
///   - sourceLocation: Where the issue is recorded.
///   - read: Reads a file of the given bytes, as far as its users would.
public func expectDamageIsRefused<Refusal: Error>(
  as type: Refusal.Type,
  in original: [UInt8],
  key: RandomKey,
  count: Int = 300,
  sourceLocation: SourceLocation = #_sourceLocation,
  read: ([UInt8]) throws -> Void
) {
  #expect(throws: Never.self, sourceLocation: sourceLocation) { try read(original) }
  var numbers = KeyedRandomNumbers(key: key)
  let lengths = stride(from: 0, to: original.count, by: max(1, original.count / count))
  let cut = lengths.map { Array(original.prefix($0)) }
  let changed = (0..<count).map { _ in
    var bytes = original
    for _ in 0..<Int.random(in: 1...4, using: &numbers) {
      let place = Int.random(in: 0..<bytes.count, using: &numbers)
      bytes[place] = .random(in: 0...255, using: &numbers)
    }
    return bytes
  }
  var refused = 0
  for bytes in cut + changed {
    do {
      try read(bytes)
    } catch is Refusal {
      refused += 1
    } catch {
      Issue.record(error, sourceLocation: sourceLocation)
    }
  }
  #expect(refused > 0, "no damage was noticed", sourceLocation: sourceLocation)
}
