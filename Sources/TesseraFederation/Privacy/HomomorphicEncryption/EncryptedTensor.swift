internal import Crypto
public import TesseraCore

/// A tensor that only the holders of the secret key can read, or a sum of such tensors.
///
/// ``bytes`` holds all of it, so that it travels as a tensor of a `ModelState`; ``init(bytes:in:)`` reads it back. A digest
/// beside each ciphertext finds damage on the way. It does not stop a forger, who can compute it as well: use
/// authenticated transport.
public struct EncryptedTensor: Sendable {
  /// Everything, as `uint8` of shape `[bytes]`.
  public let bytes: Tensor
  /// The shape of the encrypted tensor.
  public let shape: [Int]
  /// How many tensors were added: 1 for one that was just encrypted.
  public let addends: Int
  /// The sum of the addends' weights.
  public let weight: Double
  let header: EncryptedHeader
  let headerSize: Int

  /// The number of elements of the encrypted tensor.
  public var count: Int { shape.reduce(1, *) }

  /// Takes over bytes that were written for this header.
  init(header: EncryptedHeader, bytes: Tensor) {
    self.header = header
    self.bytes = bytes
    shape = header.shape
    addends = header.addends
    weight = header.weight
    headerSize = header.bytes.count
  }

  /// Reads a tensor's bytes; no memory is allocated for what they promise.
  ///
  /// - Parameters:
  ///   - bytes: `uint8` of shape `[bytes]`.
  ///   - context: The public side of the key.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the bytes are no such tensor, of
  ///   another key, or fewer or more than its shape needs. Each ciphertext is checked when it is used.
  public init(bytes: Tensor, in context: CKKSContext) throws {
    guard bytes.dtype == .uint8, bytes.rank == 1 else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "an encrypted tensor is uint8 of shape [bytes], not \(bytes)"
      )
    }
    let header = try bytes.withBytes { raw in
      let header = try EncryptedHeader(raw)
      try header.check(byteCount: raw.count, in: context)
      return header
    }
    self.init(header: header, bytes: bytes)
  }

  /// Hands out each ciphertext, or the first so many, after its digest was found right.
  func forEachCiphertext(
    in context: CKKSContext,
    first limit: Int = .max,
    _ body: (Int, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try header.check(byteCount: bytes.count, in: context)
    let size = header.ciphertextSize(in: context)
    let record = EncryptedHeader.digestSize + size
    let digests = CiphertextDigests(header)
    try bytes.withBytes { raw in
      for index in 0..<min(limit, header.ciphertexts(in: context)) {
        let start = headerSize + index * record
        let digest = raw[start..<start + EncryptedHeader.digestSize]
        let ciphertext = UnsafeRawBufferPointer(
          rebasing: raw[start + EncryptedHeader.digestSize..<start + record]
        )
        guard digests.digest(of: ciphertext, index).elementsEqual(digest) else {
          throw FederationError(
            code: .rejectedUpdate,
            message: "ciphertext \(index) of an encrypted tensor \(shape) is damaged"
          )
        }
        try body(index, ciphertext)
      }
    }
  }

  /// Makes the bytes of a tensor, ciphertext by ciphertext.
  ///
  /// `write` fills a buffer of the size of a ciphertext.
  static func make(
    _ header: EncryptedHeader,
    in context: CKKSContext,
    _ write: (Int, UnsafeMutableBufferPointer<UInt8>) throws -> Void
  ) throws -> EncryptedTensor {
    let prefix = header.bytes
    let digestSize = EncryptedHeader.digestSize
    let record = digestSize + header.ciphertextSize(in: context)
    let number = header.ciphertexts(in: context)
    let digests = CiphertextDigests(header)
    // The shape is that of a tensor in memory, and a ciphertext is a fixed multiple of its values: this does not overflow.
    let total = prefix.count + number * record
    let all = try [UInt8](unsafeUninitializedCapacity: total) { buffer, count in
      _ = buffer.update(from: prefix)
      for index in 0..<number {
        let start = prefix.count + index * record
        let target = UnsafeMutableBufferPointer(
          rebasing: buffer[start + digestSize..<start + record]
        )
        try write(index, target)
        let digest = digests.digest(of: UnsafeRawBufferPointer(target), index)
        for (offset, byte) in digest.enumerated() { buffer[start + offset] = byte }
      }
      count = total
    }
    return EncryptedTensor(header: header, bytes: try Tensor(all))
  }
}

/// SHA-256 over the header, the ciphertext's number and the ciphertext: none can be altered, moved or given another weight
/// by accident.
private struct CiphertextDigests {
  private let start: SHA256

  init(_ header: EncryptedHeader) {
    var hash = SHA256()
    hash.update(data: header.bytes)
    start = hash
  }

  func digest(of ciphertext: UnsafeRawBufferPointer, _ index: Int) -> some Sequence<UInt8> {
    var hash = start
    withUnsafeBytes(of: UInt64(index).littleEndian) { hash.update(bufferPointer: $0) }
    hash.update(bufferPointer: ciphertext)
    return hash.finalize().prefix(EncryptedHeader.digestSize)
  }
}
