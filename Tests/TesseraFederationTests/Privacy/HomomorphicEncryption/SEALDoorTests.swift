import CSEAL
import TesseraCore
import Testing

/// The door itself, with bytes that no digest has vouched for.
@Suite final class SEALDoorTests {
  var context: OpaquePointer?
  var key: OpaquePointer?

  init() throws {
    let bits: [Int32] = [60, 40, 40]
    let code = bits.withUnsafeBufferPointer { list -> CSEALCode in
      guard let base = list.baseAddress else { return CSEAL_INTERNAL }
      var parameters = CSEALParameters(
        degree: 8192,
        bits: base,
        bits_count: 3,
        primes: 1,
        scale_bits: 40
      )
      return cseal_context(&parameters, &context)
    }
    #expect(code == CSEAL_OK)
    let made = try #require(context)
    #expect(cseal_generate_key(made, nil, &key) == CSEAL_OK)
  }

  deinit {
    if let key { cseal_secret_key_release(key) }
    if let context { cseal_context_release(context) }
  }

  func ciphertext(_ values: [Double]) throws -> [UInt8] {
    let (context, key) = (try #require(context), try #require(key))
    var bytes = [UInt8](repeating: 0, count: cseal_ciphertext_size(context, true))
    let code = cseal_encrypt_symmetric(
      context,
      key,
      values,
      values.count,
      1,
      1000,
      nil,
      &bytes,
      bytes.count
    )
    #expect(code == CSEAL_OK)
    return bytes
  }

  @Test func theVersionIsSEALs() { #expect(String(cString: cseal_version()).hasPrefix("4.1.")) }

  @Test func damagedCiphertextsAreRefusedOrDecryptToNothing() throws {
    let (context, key) = (try #require(context), try #require(key))
    let original = try ciphertext([1, 2, 3])
    var sums: OpaquePointer?
    #expect(cseal_sums(context, 1, &sums) == CSEAL_OK)
    defer { if let sums { cseal_sums_release(sums) } }
    let sum = try #require(sums)
    var values = [0.0, 0, 0]
    func read(_ bytes: [UInt8]) -> (CSEALCode, CSEALCode) {
      (
        cseal_sums_add(context, sum, 0, bytes, bytes.count, false),
        cseal_decrypt(context, key, bytes, bytes.count, 1000, 1, &values, 3)
      )
    }
    #expect(read(original) == (CSEAL_OK, CSEAL_OK))
    #expect(zip(values, [1, 2, 3]).allSatisfy { abs($0 - $1) < 1e-7 })
    for length in [0, 1, 16, 100, 1000, original.count - 1] {
      #expect(read(Array(original.prefix(length))) == (CSEAL_MALFORMED, CSEAL_MALFORMED))
    }
    #expect(read(original + [0]) == (CSEAL_MALFORMED, CSEAL_MALFORMED))
    // The fields in front, every one with other values; sizes in them must not be believed.
    for place in 0..<113 {
      for value in [0, 1, 0x7f, 0xff] as [UInt8] where original[place] != value {
        var bytes = original
        bytes[place] = value
        let codes = read(bytes)
        // Two bytes are reserved, the truth value of a flag has many forms, and a minor version reads the same.
        if codes != (CSEAL_OK, CSEAL_OK) { #expect(codes == (CSEAL_MALFORMED, CSEAL_MALFORMED)) }
      }
    }
    // A coefficient beyond its prime.
    var bytes = original
    bytes.replaceSubrange(
      1000 - (1000 - 113) % 8..<1008 - (1000 - 113) % 8,
      with: [UInt8](repeating: 0xff, count: 8)
    )
    #expect(read(bytes) == (CSEAL_MALFORMED, CSEAL_MALFORMED))
    // One that is smaller than its prime is noise for all values.
    bytes = original
    for place in stride(from: 1001 - (1000 - 113) % 8, to: 3000, by: 8) { bytes[place] ^= 0x55 }
    let (added, decrypted) = read(bytes)
    #expect(added == CSEAL_OK)
    #expect(decrypted == CSEAL_OUT_OF_RANGE)
  }

  @Test func randomDamageNeverCrashes() throws {
    let (context, key) = (try #require(context), try #require(key))
    let original = try ciphertext([5])
    var secret = [UInt8](repeating: 0, count: cseal_secret_key_size(context))
    #expect(cseal_save_secret_key(context, key, &secret, secret.count) == CSEAL_OK)
    var published = [UInt8](repeating: 0, count: cseal_public_key_size(context))
    #expect(cseal_make_public_key(context, key, nil, &published, published.count) == CSEAL_OK)
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 2))
    var refused = 0
    for _ in 0..<200 {
      func damaged(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        // Half of the damage is to the fields in front.
        let range = Bool.random(using: &numbers) ? 0..<120 : 0..<bytes.count
        for _ in 0..<Int.random(in: 1...4, using: &numbers) {
          bytes[Int.random(in: range, using: &numbers)] = .random(in: 0...255, using: &numbers)
        }
        return bytes
      }
      var value = 0.0
      let bytes = damaged(original)
      let code = cseal_decrypt(context, key, bytes, bytes.count, 1000, 1, &value, 1)
      if code != CSEAL_OK { refused += 1 }
      var loaded: OpaquePointer?
      let keyBytes = damaged(secret)
      if cseal_load_secret_key(context, keyBytes, keyBytes.count, &loaded) == CSEAL_OK {
        cseal_secret_key_release(try #require(loaded))
      } else {
        refused += 1
      }
      var opened: OpaquePointer?
      let publicBytes = damaged(published)
      if cseal_load_public_key(context, publicBytes, publicBytes.count, &opened) == CSEAL_OK {
        cseal_public_key_release(try #require(opened))
      } else {
        refused += 1
      }
    }
    #expect(refused > 100)
  }

  @Test func argumentsOutOfRangeAreRefused() throws {
    let context = try #require(context)
    let bytes = try ciphertext([1])
    var sums: OpaquePointer?
    #expect(cseal_sums(context, -1, &sums) == CSEAL_INVALID_ARGUMENT)
    #expect(cseal_sums(context, 1, &sums) == CSEAL_OK)
    let sum = try #require(sums)
    defer { cseal_sums_release(sum) }
    for index in [-1, 1, .max] {
      #expect(
        cseal_sums_add(context, sum, index, bytes, bytes.count, false) == CSEAL_INVALID_ARGUMENT
      )
    }
    #expect(
      cseal_sums_add(context, sum, 0, bytes, bytes.count, true) == CSEAL_INVALID_ARGUMENT
    )
    var out = [UInt8](repeating: 0, count: cseal_ciphertext_size(context, false))
    #expect(cseal_sums_save(context, sum, 0, &out, out.count) == CSEAL_INVALID_ARGUMENT)
    #expect(cseal_sums_add(context, sum, 0, bytes, bytes.count, false) == CSEAL_OK)
    // Too little room is an error, not a write beyond the end.
    #expect(cseal_sums_save(context, sum, 0, &out, 1000) == CSEAL_INTERNAL)
    #expect(cseal_sums_save(context, sum, 0, &out, out.count) == CSEAL_OK)
  }
}
