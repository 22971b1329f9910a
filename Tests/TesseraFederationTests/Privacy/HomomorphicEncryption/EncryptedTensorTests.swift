import Crypto
import Foundation
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct EncryptedTensorTests {
  static let key = try? CKKSSecretKey()
  let secretKey: CKKSSecretKey
  let context: CKKSContext

  init() throws {
    // Made once: a key takes a second in a debug build.
    secretKey = try #require(Self.key)
    context = secretKey.context
  }

  func normal(_ shape: [Int], seed: UInt64 = 1, dtype: DType = .float32) throws -> Tensor {
    try Tensor.normal(shape, dtype: dtype, using: Generator(seed: seed))
  }

  @Test(arguments: [[], [1], [7], [4096], [4097], [3, 5000], [0], [2, 0, 3]])
  func aTensorComesBackWithItsShape(shape: [Int]) throws {
    let tensor = try normal(shape)
    let encrypted = try secretKey.encrypt(tensor, weight: 0.25)
    #expect(encrypted.shape == shape)
    #expect(encrypted.addends == 1)
    #expect(encrypted.weight == 0.25)
    #expect(encrypted.bytes.dtype == .uint8)
    expectClose(try secretKey.decrypt(encrypted), tensor, absolute: 1e-7, relative: 0)
  }

  @Test(arguments: [DType.float16, .bfloat16, .float32, .float64])
  func everyFloatingPointDTypeIsEncrypted(dtype: DType) throws {
    let tensor = try normal([10], dtype: .float32).to(dtype)
    let decrypted = try secretKey.decrypt(secretKey.encrypt(tensor), dtype: dtype)
    #expect(decrypted.dtype == dtype)
    expectClose(decrypted, tensor, absolute: 1e-8, relative: 0.01)
  }

  @Test func theLargestMagnitudesComeBackExactlyEnough() throws {
    let largest = context.parameters.largestMagnitude
    for value in [largest, -largest] {
      let tensor = try Tensor.full(value, shape: [5000], dtype: .float64)
      let encrypted = try secretKey.encrypt(tensor, weight: context.parameters.largestTotalWeight)
      let decrypted = try secretKey.decrypt(encrypted, dtype: .float64)
      expectClose(decrypted, tensor, absolute: 1e-6, relative: 0)
    }
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity, 65_537, -1e300])
  func aValueThatTheScaleCannotCarryIsRefusedWithoutBeingTold(bad: Double) throws {
    var values = [Double](repeating: 0.5, count: 4100)
    values[4099] = bad
    let error = #expect(throws: FederationError.self) {
      try secretKey.encrypt(Tensor(values))
    }
    #expect(error?.code == .rejectedUpdate)
    #expect(error?.message.contains("beyond ±65536") == true)
    #expect(error?.message.contains("65537") == false)
  }

  @Test(arguments: [0, -1, Double.nan, .infinity, 2.1])
  func aWeightThatSumsCannotCarryIsRefused(weight: Double) throws {
    let error = #expect(throws: FederationError.self) {
      try secretKey.encrypt(Tensor([1.0]), weight: weight)
    }
    #expect(error?.code == .invalidConfiguration)
  }

  @Test func integersAreRefused() throws {
    #expect(throws: FederationError.self) { try secretKey.encrypt(Tensor([1, 2, 3])) }
    #expect(throws: TensorError.self) {
      try secretKey.decrypt(secretKey.encrypt(normal([2])), dtype: .int64)
    }
  }

  @Test func thePublicKeyEncryptsToo() throws {
    let tensor = try normal([5000])
    let encrypted = try context.encrypt(tensor, weight: 0.5)
    expectClose(try secretKey.decrypt(encrypted), tensor, absolute: 1e-6, relative: 0)
    let seeded = try secretKey.encrypt(tensor, weight: 0.5)
    #expect(Double(seeded.bytes.count) < 0.51 * Double(encrypted.bytes.count))
  }

  @Test func aSumIsTheWeightedMeanAndItsOrderDoesNotMatter() throws {
    let tensors = try (0..<4).map { try normal([4200], seed: UInt64($0)) }
    let weights = [0.1, 0.2, 0.3, 0.4]
    // One of them by the public key: both kinds add up.
    let encrypted = try zip(tensors, weights).enumerated().map { index, pair in
      index == 2
        ? try context.encrypt(pair.0, weight: pair.1)
        : try secretKey.encrypt(pair.0, weight: pair.1)
    }
    func total(_ order: [Int]) throws -> EncryptedTensor {
      var sum = try EncryptedSum(of: [4200], in: context)
      for index in order { try sum.add(encrypted[index], from: "site-\(index)") }
      return try sum.total()
    }
    let sum = try total([0, 1, 2, 3])
    #expect(sum.addends == 4)
    #expect(abs(sum.weight - 1) < 1e-12)
    var expected = try Tensor.zeros([4200], dtype: .float64)
    for (tensor, weight) in zip(tensors, weights) {
      expected = try expected + tensor.to(.float64) * weight
    }
    // The public key's encryption is rounded to whole numbers when its spare prime is taken away. Its error in an element is that
    // rounding times the key, both of them embedded in the slots: a normal number whose variance is exponentially distributed, and
    // so a Laplacian of standard deviation N/6, in units of the scale. The largest of 4200 is beyond `b · ln(4200 · 1e9)` once in
    // 1e9 runs. Twice that leaves room for the three errors of the secret key, which are normal and a sixth of it.
    let parameters = context.parameters
    let unit = Double(sign: .plus, exponent: -parameters.scaleBits, significand: 1)
    let laplace = Double(parameters.polynomialDegree) / 6 / 2.0.squareRoot() * unit
    let bound = 2 * laplace * (log(4200) + log(1e9))
    #expect(bound < 6e-8)
    expectClose(
      try secretKey.decrypt(sum, dtype: .float64),
      expected,
      absolute: bound,
      relative: 0
    )
    let other = try secretKey.decrypt(total([3, 1, 0, 2]), dtype: .float64)
    expectClose(other, try secretKey.decrypt(sum, dtype: .float64), absolute: 1e-13, relative: 0)
    // Sums of sums are sums.
    var again = try EncryptedSum(of: [4200], in: context)
    try again.add(sum, from: "relay")
    try again.add(sum, from: "relay")
    expectClose(try secretKey.decrypt(again.total()), try expected.to(.float32), absolute: 1e-7)
  }

  @Test func aSumRefusesWhatItCannotHoldAndStaysAsItWas() throws {
    let tensor = try normal([9000])
    var sum = try EncryptedSum(of: [9000], in: context)
    #expect(throws: FederationError.self) { try sum.total() }
    try sum.add(secretKey.encrypt(tensor, weight: 1.5), from: "site-1")
    let before = try sum.total()
    let wrong: [EncryptedTensor] = [
      try secretKey.encrypt(normal([9001])),
      try secretKey.encrypt(tensor, weight: 0.6),
      try CKKSSecretKey().encrypt(tensor, weight: 0.1),
    ]
    for encrypted in wrong {
      let error = #expect(throws: FederationError.self) { try sum.add(encrypted, from: "site-2") }
      #expect(error?.message.hasPrefix("site-2: ") == true)
    }
    // The last of its three ciphertexts is damaged: the others have been added by then.
    var bytes = try secretKey.encrypt(tensor, weight: 0.1).bytes.array(of: UInt8.self)
    bytes[bytes.count - 1000] ^= 1
    let damaged = try EncryptedTensor(bytes: Tensor(bytes), in: context)
    #expect(throws: FederationError.self) { try sum.add(damaged, from: "site-2") }
    #expect(sum.addends == 1)
    #expect(sum.weight == 1.5)
    #expect(try sum.total().bytes.isIdentical(to: before.bytes))
    #expect(throws: FederationError.self) { _ = try EncryptedSum(of: [-1], in: context) }
    #expect(throws: FederationError.self) {
      _ = try EncryptedSum(of: [1 << 40, 1 << 40], in: context)
    }
  }

  @Test func anotherKeyNeverSeesTheData() throws {
    let tensor = try normal([100])
    let encrypted = try secretKey.encrypt(tensor)
    let other = try CKKSSecretKey()
    let error = #expect(throws: FederationError.self) { try other.decrypt(encrypted) }
    #expect(error?.message.contains("another key") == true)
    // With the other key's name on it, and a digest to match, it is noise that no sum could be.
    var bytes = try encrypted.bytes.array(of: UInt8.self)
    let named = try other.encrypt(tensor).bytes.array(of: UInt8.self)
    let headerSize = 70
    bytes.replaceSubrange(0..<headerSize, with: named[0..<headerSize])
    var hash = SHA256()
    hash.update(data: bytes[0..<headerSize] + [UInt8](repeating: 0, count: 8))
    hash.update(data: bytes[(headerSize + 16)...])
    bytes.replaceSubrange(headerSize..<headerSize + 16, with: Array(hash.finalize()).prefix(16))
    let forged = try EncryptedTensor(bytes: Tensor(bytes), in: other.context)
    let refusal = #expect(throws: FederationError.self) { try other.decrypt(forged) }
    #expect(refusal?.message.contains("does not decrypt") == true)
  }

  @Test func twoEncryptionsOfOneTensorHaveNothingInCommon() throws {
    let tensor = try normal([4096])
    let first = try secretKey.encrypt(tensor).bytes.array(of: UInt8.self)
    let second = try secretKey.encrypt(tensor).bytes.array(of: UInt8.self)
    let equal = zip(first.dropFirst(400), second.dropFirst(400)).count { $0 == $1 }
    // One in 256 by chance; coefficients below 2^60 share half of their highest byte with a chance of one in 16.
    #expect(Double(equal) < 0.02 * Double(first.count))
  }

  @Test func reproducibleRandomnessRepeatsBytes() throws {
    let tensor = try normal([5000])
    let key = RandomKey(seed: 3)
    func bytes(_ key: RandomKey) throws -> Tensor {
      try secretKey.encrypt(tensor, randomness: .insecureReproducible(key)).bytes
    }
    #expect(try bytes(key).isIdentical(to: bytes(key)))
    #expect(try !bytes(key).isIdentical(to: bytes(key["other"])))
    let keys = try (0..<2).map { _ in
      try CKKSSecretKey(randomness: .insecureReproducible(key)).context.serialized()
    }
    #expect(keys[0] == keys[1])
    #expect(try CKKSSecretKey().context.serialized() != CKKSSecretKey().context.serialized())
  }

  @Test func damagedBytesAreRefused() throws {
    let original = try secretKey.encrypt(normal([5000])).bytes.array(of: UInt8.self)
    func read(_ bytes: [UInt8]) throws {
      let encrypted = try EncryptedTensor(bytes: Tensor(bytes), in: context)
      _ = try secretKey.decrypt(encrypted)
      var sum = try EncryptedSum(of: [5000], in: context)
      try sum.add(encrypted, from: "site-1")
    }
    expectDamageIsRefused(
      as: FederationError.self,
      in: original,
      key: RandomKey(seed: 8),
      count: 60,
      read: read
    )
    // Every bit of the header, and any other.
    for place in Array(0..<120) + [500, 70_000, original.count - 1] {
      var bytes = original
      bytes[place] ^= 1 << UInt8(place % 8)
      #expect(throws: FederationError.self, "byte \(place)") { try read(bytes) }
    }
    #expect(throws: FederationError.self) { try read(original + [0]) }
    #expect(throws: FederationError.self) {
      try EncryptedTensor(bytes: Tensor([1.0]), in: context)
    }
  }

  @Test func aTensorTravelsAsItsBytes() throws {
    let tensor = try normal([3, 7])
    let bytes = try secretKey.encrypt(tensor, weight: 0.5).bytes.array(of: UInt8.self)
    let arrived = try EncryptedTensor(bytes: Tensor(bytes), in: context)
    #expect(arrived.shape == [3, 7])
    #expect(arrived.weight == 0.5)
    expectClose(try secretKey.decrypt(arrived), tensor, absolute: 1e-7)
  }
}
