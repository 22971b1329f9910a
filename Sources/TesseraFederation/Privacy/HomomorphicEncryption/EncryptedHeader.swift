internal import TesseraCore

/// What stands before the ciphertexts of an ``EncryptedTensor``.
struct EncryptedHeader: Sendable {
  /// Whose key.
  var identity: [UInt8]
  /// Whether the second half of each ciphertext is a seed.
  var isSeeded: Bool
  var addends: Int
  var weight: Double
  var shape: [Int]
  /// The digest of the layout of the model that it is a block of, and its number there; zeros for a tensor by itself.
  var layout = [UInt8](repeating: 0, count: EncryptedHeader.digestSize)
  var block = 0

  static let digestSize = 16
  private static let magic = "TessCKE1"
  static let mostAddends = 1 << 30

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.magic.utf8)
    writer.write(identity)
    writer.write(layout)
    writer.write(UInt64(block))
    writer.write(UInt8(isSeeded ? 1 : 0))
    writer.write(UInt8(shape.count))
    writer.write(UInt32(addends))
    writer.write(weight)
    for size in shape { writer.write(UInt64(size)) }
    return writer.bytes
  }

  init(
    identity: [UInt8],
    isSeeded: Bool,
    addends: Int,
    weight: Double,
    shape: [Int]
  ) throws {
    self.identity = identity
    self.isSeeded = isSeeded
    self.addends = addends
    self.weight = weight
    self.shape = shape
    guard shape.count <= UInt8.max else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a tensor of \(shape.count) dimensions cannot be encrypted"
      )
    }
    guard (1...Self.mostAddends).contains(addends) else {
      throw FederationError(code: .rejectedUpdate, message: "a sum of \(addends) encrypted tensors")
    }
  }

  /// Reads a header from bytes that may be anything.
  init(_ raw: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(raw, of: "an encrypted tensor")
    try reader.expect(Self.magic)
    let identity = Array(try reader.read(count: CKKSContext.identitySize))
    let layout = Array(try reader.read(count: Self.digestSize))
    let block = try reader.read(UInt64.self)
    let seeded = try reader.read(UInt8.self)
    let rank = Int(try reader.read(UInt8.self))
    let addends = Int(try reader.read(UInt32.self))
    let weight = try reader.readDouble()
    guard seeded <= 1, block <= Int.max, weight > 0, weight.isFinite else {
      throw reader.malformed("a field of its header is out of range")
    }
    var count = 1
    var shape: [Int] = []
    for _ in 0..<rank {
      let size = try reader.read(UInt64.self)
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(clamping: size))
      guard size <= UInt64(Int.max), !overflow else {
        throw reader.malformed("its shape has too many elements")
      }
      count = product
      shape.append(Int(size))
    }
    try self.init(
      identity: identity,
      isSeeded: seeded == 1,
      addends: addends,
      weight: weight,
      shape: shape
    )
    self.layout = layout
    self.block = Int(block)
  }

  func ciphertextSize(in context: CKKSContext) -> Int {
    isSeeded ? context.seal.seededSize : context.seal.fullSize
  }

  /// The number of ciphertexts: as many as hold all elements.
  func ciphertexts(in context: CKKSContext) -> Int {
    let count = shape.reduce(1, *)
    return count / context.parameters.slots + (count % context.parameters.slots == 0 ? 0 : 1)
  }

  /// Whether so many bytes are what the header promises, under this key.
  func check(byteCount: Int, in context: CKKSContext) throws {
    func rejected(_ reason: String) -> FederationError {
      FederationError(code: .rejectedUpdate, message: "an encrypted tensor \(shape) \(reason)")
    }
    guard identity == context.identity else {
      throw rejected("was encrypted under another key")
    }
    guard weight <= context.parameters.largestTotalWeight * (1 + 1e-9) else {
      throw rejected("weighs more than the parameters allow")
    }
    let record = Self.digestSize + ciphertextSize(in: context)
    let (size, overflow) = ciphertexts(in: context).multipliedReportingOverflow(by: record)
    guard !overflow, byteCount - bytes.count == size else {
      throw rejected("of \(byteCount) bytes is cut off or has more than its shape needs")
    }
  }
}
