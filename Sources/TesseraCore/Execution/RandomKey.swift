/// Names one stream of random numbers: a seed, and what the stream is for.
///
/// Keys are derived, never drawn, so that a stream does not depend on what ran before it:
///
///     let run = RandomKey(seed: 1)
///     let shuffle = run["shuffle"][round][site][epoch]
///
/// The derivation hashes each part with SplitMix64 (Steele, Lea and Flood, 2014) over an FNV-1a digest of names.
public struct RandomKey: Hashable, Sendable {
  /// 64 bits that seed the stream.
  public let value: UInt64

  /// The key that all others of a run derive from.
  public init(seed: UInt64) {
    value = RandomKey.mixed(seed)
  }

  /// The key that another process sent.
  package init(value: UInt64) {
    self.value = value
  }

  /// The key for a named purpose.
  public subscript(_ purpose: String) -> RandomKey {
    var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in purpose.utf8 { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
    // Names and numbers live in different spaces: "1" is not 1.
    return RandomKey(
      value: RandomKey.mixed(value ^ RandomKey.mixed(digest ^ 0x9e37_79b9_7f4a_7c15))
    )
  }

  /// The key for a counted thing: a round, a site, an epoch, a sample.
  public subscript(_ number: Int) -> RandomKey {
    RandomKey(
      value: RandomKey.mixed(
        value &+ 0xd1b5_4a32_d192_ed03 &* (UInt64(bitPattern: Int64(number)) &+ 1)
      )
    )
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Swift's random functions, fed from a key: for draws that need no tensor.
public struct KeyedRandomNumbers: RandomNumberGenerator {
  private var key: RandomKey
  private var position = 0

  /// The stream of a key.
  public init(key: RandomKey) {
    self.key = key
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    defer { position += 1 }
    return key[position].value
  }
}
