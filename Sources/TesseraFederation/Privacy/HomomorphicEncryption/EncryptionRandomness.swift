public import TesseraCore

/// Where the random numbers of keys and ciphertexts come from.
public enum EncryptionRandomness: Sendable {
  /// SEAL's generator, BLAKE2Xb seeded with 512 bits from the operating system for every ciphertext.
  case secure
  /// The same numbers for the same key: **no secrecy at all**, for simulations and tests whose bytes must repeat.
  ///
  /// Whoever knows or guesses the 64-bit key reads everything. Two tensors that are encrypted under one key reveal their
  /// difference, so give each tensor, site and round a key of its own.
  case insecureReproducible(RandomKey)

  /// The randomness of a part of what this one is for.
  func part(_ number: Int) -> EncryptionRandomness {
    switch self {
    case .secure: .secure
    case .insecureReproducible(let key): .insecureReproducible(key[number])
    }
  }

  /// Hands the door a seed of 512 bits, or `nil` for the system's.
  func withSeed<Result>(_ body: (UnsafePointer<UInt64>?) throws -> Result) rethrows -> Result {
    switch self {
    case .secure: return try body(nil)
    case .insecureReproducible(let key):
      var numbers = KeyedRandomNumbers(key: key["ckks"])
      let words = (0..<8).map { _ in numbers.next() }
      return try words.withUnsafeBufferPointer { try body($0.baseAddress) }
    }
  }
}
