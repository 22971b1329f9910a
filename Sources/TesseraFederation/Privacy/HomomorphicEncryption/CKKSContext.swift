internal import CSEAL
internal import Crypto
internal import Foundation
public import SystemPackage
public import TesseraCore

/// The public side of a CKKS key: what an aggregator has, and every site.
///
/// It encrypts and adds, and never decrypts: that takes the ``CKKSSecretKey``, another type, which only sites hold.
///
///     let secretKey = try CKKSSecretKey()          // once, by the sites
///     let context = secretKey.context              // for the aggregator
///     var sum = EncryptedSum(of: [2, 3], in: context)
public struct CKKSContext: Sendable {
  /// The parameters.
  public let parameters: CKKSParameters
  let seal: SEALContext
  let publicKey: SEALPublicKey
  /// Tells ciphertexts of one key from those of another.
  let identity: [UInt8]
  private let publicKeyBytes: [UInt8]

  init(parameters: CKKSParameters, seal: SEALContext, publicKeyBytes: [UInt8]) throws {
    self.parameters = parameters
    self.seal = seal
    self.publicKeyBytes = publicKeyBytes
    publicKey = try SEALPublicKey { out in
      publicKeyBytes.withUnsafeBufferPointer { bytes in
        guard let base = bytes.baseAddress else { return CSEAL_INTERNAL }
        return cseal_load_public_key(seal.pointer, base, bytes.count, out)
      }
    }
    identity = Array(
      SHA256.hash(data: Self.body(parameters, publicKeyBytes)).prefix(Self.identitySize)
    )
  }

  static let identitySize = 16
  private static let magic = "TessCKP1"
  /// Longer chains of primes are of no use to sums.
  private static let mostPrimes = 64

  private static func body(_ parameters: CKKSParameters, _ publicKey: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.write(magic.utf8)
    writer.write(UInt32(parameters.polynomialDegree))
    writer.write(UInt8(parameters.coefficientModulusBits.count))
    writer.write(parameters.coefficientModulusBits.map { UInt8($0) })
    writer.write(UInt8(parameters.ciphertextPrimes))
    writer.write(UInt8(parameters.scaleBits))
    writer.write(parameters.largestMagnitude)
    writer.write(publicKey)
    return writer.bytes
  }

  /// The parameters and the public key as bytes, with a digest.
  public func serialized() -> [UInt8] {
    Digested.appending(to: Self.body(parameters, publicKeyBytes))
  }

  /// Reads what ``serialized()`` gave.
  ///
  /// - Throws: ``FederationError`` if the bytes are damaged, or the parameters in them are not secure.
  public init(serialized bytes: some Sequence<UInt8>) throws {
    self = try Array(bytes).withUnsafeBytes { try CKKSContext(serialized: $0) }
  }

  init(serialized bytes: UnsafeRawBufferPointer) throws {
    let what = "the public side of an encryption key"
    var reader = ByteReader(try Digested.checked(bytes, of: what), of: what)
    try reader.expect(Self.magic)
    let degree = Int(try reader.read(UInt32.self))
    let count = Int(try reader.read(UInt8.self))
    guard count <= Self.mostPrimes else { throw reader.malformed("it has \(count) primes") }
    let bits = try reader.read(count: count).map { Int($0) }
    let primes = Int(try reader.read(UInt8.self))
    let scaleBits = Int(try reader.read(UInt8.self))
    let parameters = try CKKSParameters(
      polynomialDegree: degree,
      coefficientModulusBits: bits,
      scaleBits: scaleBits,
      ciphertextPrimes: primes,
      largestMagnitude: try reader.readDouble()
    )
    let seal = try SEALContext(parameters)
    let size = cseal_public_key_size(seal.pointer)
    guard reader.remaining == size else {
      throw reader.malformed("its public key has \(reader.remaining) bytes, not \(size)")
    }
    try self.init(
      parameters: parameters,
      seal: seal,
      publicKeyBytes: Array(try reader.read(count: size))
    )
  }

  /// Writes a file that everyone may read.
  ///
  /// - Throws: `TensorError` with code `fileSystem` if the system refuses.
  public func write(to path: FilePath) throws {
    let bytes = serialized()
    try AtomicFile.write(to: path) { file in try bytes.withUnsafeBytes { try file.write($0) } }
  }

  /// Reads a file.
  ///
  /// - Throws: `TensorError` with code `fileSystem`, or ``FederationError`` naming the file.
  public init(contentsOf path: FilePath) throws {
    let bytes = try KeyFile.read(path)
    self = try KeyFile.naming(path) { try CKKSContext(serialized: bytes) }
  }

  /// Encrypts a tensor with the public key, for sites that must not decrypt.
  ///
  /// Takes four times as long as ``CKKSSecretKey/encrypt(_:weight:randomness:)``, and twice the bytes.
  ///
  /// - Parameters:
  ///   - tensor: Floating-point, of any shape; magnitudes up to the parameters' largest.
  ///   - weight: What the elements are multiplied by before encryption; above 0.
  ///   - randomness: Leave it as it is.
  /// - Returns: The tensor, each element times the weight, encrypted.
  /// - Throws: ``FederationError`` if an element is not finite or too large, or the weight is.
  public func encrypt(
    _ tensor: Tensor,
    weight: Double = 1,
    randomness: EncryptionRandomness = .secure
  ) throws -> EncryptedTensor {
    let elements = try ElementStream([(name: "", tensor: tensor)])
    return try Encryption(context: self, key: .public, weight: weight, randomness: randomness)
      .encrypt(elements, in: 0..<elements.count, shape: tensor.shape)
  }
}
