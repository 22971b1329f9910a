internal import CSEAL
internal import TesseraCore

/// How one party encrypts.
struct Encryption: Sendable {
  enum Key: Sendable {
    case secret(SEALSecretKey)
    case `public`
  }

  let context: CKKSContext
  let key: Key
  let weight: Double
  let randomness: EncryptionRandomness

  /// - Throws: ``FederationError`` if the weight is not above 0, or more than all weights together may be.
  init(
    context: CKKSContext,
    key: Key,
    weight: Double,
    randomness: EncryptionRandomness
  ) throws {
    let largest = context.parameters.largestTotalWeight
    guard weight > 0, weight <= largest else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          the weight \(weight) of an encrypted tensor is not above 0 and at most \(largest); \
          use the share of all examples
          """
      )
    }
    self.context = context
    self.key = key
    self.weight = weight
    self.randomness = randomness
  }

  /// Encrypts a range of elements as a tensor of the given shape, on this thread.
  func encrypt(
    _ elements: ElementStream,
    in range: Range<Int>,
    shape: [Int],
    layout: [UInt8]? = nil,
    block: Int = 0
  ) throws -> EncryptedTensor {
    let isSeeded = if case .secret = key { true } else { false }
    var header = try EncryptedHeader(
      identity: context.identity,
      isSeeded: isSeeded,
      addends: 1,
      weight: weight,
      shape: shape
    )
    if let layout { header.layout = layout }
    header.block = block
    let slots = context.parameters.slots
    let randomness = randomness.part(block)
    return try withUnsafeTemporaryAllocation(of: Double.self, capacity: slots) { values in
      try EncryptedTensor.make(header, in: context) { index, target in
        let start = range.lowerBound + index * slots
        let length = min(slots, range.upperBound - start)
        let part = UnsafeMutableBufferPointer(rebasing: values[0..<length])
        try elements.read(from: start, into: part)
        let code = randomness.part(index).withSeed { write(UnsafeBufferPointer(part), target, $0) }
        if code == CSEAL_OUT_OF_RANGE {
          let largest = context.parameters.largestMagnitude
          let bad = part.firstIndex { !(abs($0) <= largest) } ?? 0
          let name = elements.name(at: start + bad)
          throw FederationError(
            code: .rejectedUpdate,
            message: """
              \(name.isEmpty ? "the tensor" : "tensor '\(name)'"): an element is not a number, \
              infinite or beyond ±\(largest), and cannot be encrypted
              """
          )
        }
        try check(code)
      }
    }
  }

  private func write(
    _ values: UnsafeBufferPointer<Double>,
    _ target: UnsafeMutableBufferPointer<UInt8>,
    _ seed: UnsafePointer<UInt64>?
  ) -> CSEALCode {
    // Neither is empty: a ciphertext is made for at least one element.
    guard let source = values.baseAddress, let bytes = target.baseAddress else {
      return CSEAL_INTERNAL
    }
    let largest = context.parameters.largestMagnitude
    switch key {
    case .secret(let key):
      return cseal_encrypt_symmetric(
        context.seal.pointer,
        key.pointer,
        source,
        values.count,
        weight,
        largest,
        seed,
        bytes,
        target.count
      )
    case .public:
      return cseal_encrypt_public(
        context.seal.pointer,
        context.publicKey.pointer,
        source,
        values.count,
        weight,
        largest,
        seed,
        bytes,
        target.count
      )
    }
  }
}

/// How a site decrypts.
struct Decryption: Sendable {
  let context: CKKSContext
  let key: SEALSecretKey

  /// Decrypts on this thread, to `float32` or `float64`.
  func decrypt(_ encrypted: EncryptedTensor, dtype: DType) throws -> Tensor {
    // The number of bytes is checked against the shape before memory is allocated for it.
    try encrypted.header.check(byteCount: encrypted.bytes.count, in: context)
    return dtype == .float64
      ? try Tensor(values(of: encrypted) { $0 }, shape: encrypted.shape)
      : try Tensor(values(of: encrypted) { Float($0) }, shape: encrypted.shape)
  }

  private func values<Number: BinaryFloatingPoint>(
    of encrypted: EncryptedTensor,
    _ convert: (Double) -> Number
  ) throws -> [Number] {
    let slots = context.parameters.slots
    let total = encrypted.count
    // What sums of allowed values can be, with room for noise.
    let bound =
      context.parameters.largestMagnitude * encrypted.weight * 1.001 + Double(encrypted.addends)
    return try [Number](unsafeUninitializedCapacity: total) { buffer, count in
      try withUnsafeTemporaryAllocation(of: Double.self, capacity: slots) { values in
        try encrypted.forEachCiphertext(in: context) { index, ciphertext in
          let start = index * slots
          let length = min(slots, total - start)
          guard let source = ciphertext.baseAddress, let target = values.baseAddress else { return }
          let code = cseal_decrypt(
            context.seal.pointer,
            key.pointer,
            source.assumingMemoryBound(to: UInt8.self),
            ciphertext.count,
            bound,
            1 / encrypted.weight,
            target,
            length
          )
          guard code != CSEAL_OUT_OF_RANGE else {
            throw FederationError(
              code: .rejectedUpdate,
              message: """
                ciphertext \(index) of an encrypted tensor \(encrypted.shape) does not decrypt to \
                allowed values: it was altered, or encrypted with another key or larger values
                """
            )
          }
          try check(code)
          for i in 0..<length {
            buffer.initializeElement(at: start + i, to: convert(values[i]))
          }
        }
      }
      count = total
    }
  }
}
