internal import CSEAL
internal import Foundation
public import SystemPackage
public import TesseraCore

/// The secret key of a group of sites, which decrypts; an aggregator never has it.
///
/// The sites of a federation share one key: one of them makes it, and the others get it by a way that the aggregator does
/// not see. Then each site encrypts its weighted update, the aggregator adds what it cannot read (``EncryptedSum``,
/// ``EncryptedModelSum``), and each site decrypts the sum.
///
/// > Important: CKKS decrypts to the values plus noise, and that noise depends on the key. Whoever has ciphertexts *and*
/// > many of their exact decryptions can compute the key (Li and Micciancio, 2021). So do not give decrypted values to the
/// > aggregator or to anyone else who sees ciphertexts while the key is in use; for a model that is published, make a new
/// > key for the next run.
///
/// The description names no key material.
public struct CKKSSecretKey: Sendable, CustomStringConvertible {
  /// The public side, for the aggregator.
  public let context: CKKSContext
  let key: SEALSecretKey

  /// Makes a new key.
  ///
  /// - Throws: ``FederationError`` if SEAL refuses the parameters.
  public init(
    parameters: CKKSParameters = .standard,
    randomness: EncryptionRandomness = .secure
  ) throws {
    let seal = try SEALContext(parameters)
    let key = try SEALSecretKey { out in
      randomness.part(0).withSeed { cseal_generate_key(seal.pointer, $0, out) }
    }
    let size = cseal_public_key_size(seal.pointer)
    let publicKey = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      try randomness.part(1).withSeed {
        try check(cseal_make_public_key(seal.pointer, key.pointer, $0, base, size))
      }
      count = size
    }
    self.key = key
    context = try CKKSContext(parameters: parameters, seal: seal, publicKeyBytes: publicKey)
  }

  /// The kind of value, without its content.
  public var description: String { "CKKS secret key (hidden)" }

  private static let magic = "TessCKS1"

  /// Writes the key to a file that only its owner may read: mode 0600 from its first byte on.
  ///
  /// - Throws: `TensorError` with code `fileSystem` if the system refuses, or the file is there already: a key that
  ///   decrypts someone's models is not overwritten.
  public func write(to path: FilePath) throws {
    let size = cseal_secret_key_size(context.seal.pointer)
    let secret = try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      guard let base = buffer.baseAddress else { return }
      try check(cseal_save_secret_key(context.seal.pointer, key.pointer, base, size))
      count = size
    }
    let publicSide = context.serialized()
    var writer = ByteWriter()
    writer.write(Self.magic.utf8)
    writer.write(UInt64(publicSide.count))
    writer.write(publicSide)
    writer.write(secret)
    try KeyFile.writeSecret(Digested.appending(to: writer.bytes), to: path)
  }

  /// Reads a key's file.
  ///
  /// - Throws: ``FederationError`` naming the file if it is damaged, or if others than its owner may read or write it;
  ///   `TensorError` with code `fileSystem` if it cannot be read.
  public init(contentsOf path: FilePath) throws {
    let bytes = try KeyFile.readSecret(path)
    self = try KeyFile.naming(path) { try CKKSSecretKey(bytes) }
  }

  private init(_ bytes: [UInt8]) throws {
    (context, key) = try bytes.withUnsafeBytes { bytes in
      let what = "a secret encryption key"
      var reader = ByteReader(try Digested.checked(bytes, of: what), of: what)
      try reader.expect(Self.magic)
      let size = Int(clamping: try reader.read(UInt64.self))
      let context = try CKKSContext(serialized: try reader.read(count: size))
      let secret = try reader.read(count: reader.remaining)
      guard let base = secret.baseAddress else { throw reader.malformed("it is cut off") }
      let key = try SEALSecretKey { out in
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        return cseal_load_secret_key(context.seal.pointer, bytes, secret.count, out)
      }
      return (context, key)
    }
  }

  /// Encrypts a tensor, with half of each ciphertext as a seed: half the bytes of ``CKKSContext/encrypt(_:weight:randomness:)``.
  ///
  /// - Parameters:
  ///   - tensor: Floating-point, of any shape; magnitudes up to the parameters' largest.
  ///   - weight: What the elements are multiplied by before encryption; above 0. The aggregator sees it.
  ///   - randomness: Leave it as it is, unless bytes must repeat and nothing is secret.
  /// - Returns: The tensor, each element times the weight, encrypted.
  /// - Throws: ``FederationError`` if an element is not finite or too large, or the weight is.
  public func encrypt(
    _ tensor: Tensor,
    weight: Double = 1,
    randomness: EncryptionRandomness = .secure
  ) throws -> EncryptedTensor {
    let elements = try ElementStream([(name: "", tensor: tensor)])
    return try Encryption(
      context: context,
      key: .secret(key),
      weight: weight,
      randomness: randomness
    )
    .encrypt(elements, in: 0..<elements.count, shape: tensor.shape)
  }

  /// The weighted mean of what was encrypted and added, `Σ wᵢ·xᵢ / Σ wᵢ`; of one tensor, the tensor itself.
  ///
  /// - Parameters:
  ///   - encrypted: Encrypted under this key, or a sum of such tensors.
  ///   - dtype: Floating-point.
  /// - Returns: A tensor of the encrypted tensor's shape.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the ciphertexts are of another key
  ///   or damaged.
  public func decrypt(_ encrypted: EncryptedTensor, dtype: DType = .float32) throws -> Tensor {
    guard dtype.isFloatingPoint else {
      throw TensorError(
        code: .invalidArgument,
        message: "a tensor decrypts to floats, not \(dtype)"
      )
    }
    let wide = dtype == .float64 ? DType.float64 : .float32
    return try Decryption(context: context, key: key).decrypt(encrypted, dtype: wide).to(dtype)
  }
}
