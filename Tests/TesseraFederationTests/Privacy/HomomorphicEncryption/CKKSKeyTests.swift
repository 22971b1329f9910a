import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct CKKSKeyTests {
  @Test func theStandardParametersAreThoseOfTheField() throws {
    let standard = CKKSParameters.standard
    #expect(try standard == CKKSParameters())
    #expect(standard.polynomialDegree == 8192)
    #expect(standard.coefficientModulusBits == [60, 40, 40])
    #expect(standard.scaleBits == 40)
    #expect(standard.slots == 4096)
    #expect(standard.largestTotalWeight == 2)
  }

  struct Attempt: Sendable {
    var degree = 8192
    var bits = [60, 40, 40]
    var scale = 40
    var primes = 1
    var largest = 65_536.0
  }

  @Test(arguments: [
    // 140 bits with degree 4096 are less than 128-bit secure, as are 219 with 8192.
    Attempt(degree: 4096), Attempt(bits: [60, 60, 60, 39]), Attempt(degree: 0),
    Attempt(degree: 8191), Attempt(degree: -8192), Attempt(degree: .max), Attempt(degree: .min),
    Attempt(bits: []), Attempt(bits: [60]), Attempt(bits: [61, 40]), Attempt(bits: [0, 40]),
    Attempt(bits: [-1, 40]), Attempt(bits: [.max, 40]), Attempt(bits: [60, 1]),
    Attempt(bits: Array(repeating: 30, count: 100)),
    Attempt(scale: 19), Attempt(scale: 57), Attempt(scale: .max), Attempt(scale: -40),
    Attempt(primes: 0), Attempt(primes: 3), Attempt(primes: -1), Attempt(primes: .max),
    Attempt(largest: 0), Attempt(largest: -1), Attempt(largest: .nan), Attempt(largest: .infinity),
    Attempt(largest: 1e300),
  ])
  func parametersThatAreNotSecureOrNotPossibleAreRefused(_ attempt: Attempt) {
    let error = #expect(throws: FederationError.self) {
      try CKKSParameters(
        polynomialDegree: attempt.degree,
        coefficientModulusBits: attempt.bits,
        scaleBits: attempt.scale,
        ciphertextPrimes: attempt.primes,
        largestMagnitude: attempt.largest
      )
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("degree \(attempt.degree)") == true)
  }

  @Test func morePrimesInACiphertextCarryLargerValues() throws {
    let parameters = try CKKSParameters(ciphertextPrimes: 2, largestMagnitude: 1e9)
    let key = try CKKSSecretKey(parameters: parameters)
    let tensor = try Tensor([1e9, -1e9, 1e-3])
    let encrypted = try key.encrypt(tensor, weight: 1000)
    expectClose(try key.decrypt(encrypted, dtype: .float64), tensor, absolute: 1e-3, relative: 1e-9)
    // A ciphertext under other parameters is of another key.
    #expect(throws: FederationError.self) { try CKKSSecretKey().decrypt(encrypted) }
  }

  @Test func otherDegreesWork() throws {
    let key = try CKKSSecretKey(
      parameters: CKKSParameters(
        polynomialDegree: 4096,
        coefficientModulusBits: [54, 55],
        scaleBits: 30,
        largestMagnitude: 100
      )
    )
    let tensor = try Tensor.uniform([3000], using: Generator(seed: 1))
    expectClose(try key.decrypt(key.encrypt(tensor)), tensor, absolute: 1e-5)
  }

  @Test func thePublicSideIsReadBackAndItsCiphertextsDecrypt() throws {
    let folder = try TemporaryFolder()
    let key = try CKKSSecretKey()
    let path = folder.path.appending("public.ckks")
    try key.context.write(to: path)
    let context = try CKKSContext(contentsOf: path)
    #expect(context.serialized() == key.context.serialized())
    #expect(context.parameters == key.context.parameters)
    let tensor = try Tensor([1.5, -2])
    expectClose(try key.decrypt(context.encrypt(tensor), dtype: .float64), tensor, absolute: 1e-6)
  }

  @Test func aSecretKeysFileIsItsOwnersAloneAndIsReadBack() throws {
    let folder = try TemporaryFolder()
    let key = try CKKSSecretKey()
    let path = folder.path.appending("secret.ckks")
    try key.write(to: path)
    #expect(folder.names == ["secret.ckks"])
    let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
    #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    let read = try CKKSSecretKey(contentsOf: path)
    let tensor = try Tensor([0.25, 3])
    expectClose(try read.decrypt(key.encrypt(tensor), dtype: .float64), tensor, absolute: 1e-7)
    expectClose(try key.decrypt(read.encrypt(tensor), dtype: .float64), tensor, absolute: 1e-7)
    // A key is not overwritten.
    #expect(throws: TensorError.self) { try CKKSSecretKey().write(to: path) }
    #expect(folder.names == ["secret.ckks"])
    #expect("\(key)" == "CKKS secret key (hidden)")
  }

  @Test func aSecretKeysFileThatOthersMayReadIsRefused() throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("secret.ckks")
    try CKKSSecretKey().write(to: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path.string)
    let error = #expect(throws: FederationError.self) { try CKKSSecretKey(contentsOf: path) }
    #expect(error?.message.contains("mode 640") == true)
    #expect(error?.message.contains(path.string) == true)
  }

  @Test func missingFilesAreNamed() throws {
    let error = #expect(throws: TensorError.self) {
      try CKKSSecretKey(contentsOf: "/nowhere/secret.ckks")
    }
    #expect(error?.message.contains("/nowhere/secret.ckks") == true)
    #expect(throws: TensorError.self) { try CKKSContext(contentsOf: "/nowhere/public.ckks") }
    let key = try CKKSSecretKey()
    #expect(throws: TensorError.self) { try key.write(to: "/nowhere/secret.ckks") }
    #expect(throws: TensorError.self) { try key.write(to: "/") }
  }

  @Test func damagedKeysAreRefused() throws {
    let folder = try TemporaryFolder()
    let key = try CKKSSecretKey()
    expectDamageIsRefused(
      as: FederationError.self,
      in: key.context.serialized(),
      key: RandomKey(seed: 4),
      count: 60
    ) {
      _ = try CKKSContext(serialized: $0)
    }
    let path = folder.path.appending("secret.ckks")
    try key.write(to: path)
    let other = folder.path.appending("damaged.ckks")
    expectDamageIsRefused(
      as: FederationError.self,
      in: try folder.bytes(of: path),
      key: RandomKey(seed: 5),
      count: 60
    ) {
      _ = try folder.file("damaged.ckks", $0)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: other.string)
      _ = try CKKSSecretKey(contentsOf: other)
    }
  }
}
