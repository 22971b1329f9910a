/// Damages bytes, the same way each time.
struct Mutator {
  private var numbers: Xorshift

  init(seed: UInt64) { numbers = Xorshift(state: seed | 1) }

  /// Bytes with one to four damages.
  ///
  /// - Parameters:
  ///   - bytes: What was meant.
  ///   - others: What parts are taken from, too.
  /// - Returns: The damaged bytes.
  mutating func damaged(_ bytes: [UInt8], mixedWith others: [[UInt8]] = []) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &numbers) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &numbers)
      switch Int.random(in: 0..<9, using: &numbers) {
      case 0, 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
      case 2: bytes[place] = [0, 0x7f, 0x80, 0xff].randomElement(using: &numbers) ?? 0
      case 3: bytes.removeSubrange(place...)
      case 4: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: place)
      case 5: bytes.append(contentsOf: bytes[place...].prefix(4096))
      case 6:
        let end = Int.random(in: place..<bytes.count, using: &numbers)
        bytes.removeSubrange(place...end)
      case 7:
        // A number of variable length, at its largest.
        bytes.replaceSubrange(place...place, with: [UInt8](repeating: 0xff, count: 9) + [1])
      default:
        guard let other = others.randomElement(using: &numbers), !other.isEmpty else { continue }
        let start = Int.random(in: 0..<other.count, using: &numbers)
        bytes.replaceSubrange(place..., with: other[start...])
      }
    }
    return bytes
  }

  mutating func element<Element>(of list: [Element]) -> Element? {
    list.randomElement(using: &numbers)
  }
}

/// The same numbers each time (Marsaglia, "Xorshift RNGs", 2003).
struct Xorshift: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
