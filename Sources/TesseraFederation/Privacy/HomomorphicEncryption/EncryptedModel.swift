internal import Foundation
public import TesseraCore

/// A model that only the holders of the secret key can read, or a sum of such models.
///
/// The elements of all tensors lie one after the other in as few ciphertexts as hold them. They are divided into blocks of
/// sixteen ciphertexts, which are what lanes work on, and what ``state()`` sends as tensors.
public struct EncryptedModel: Sendable {
  /// The names, shapes and dtypes, which are not secret.
  public let layout: ModelLayout
  /// How many models were added: 1 for one that was just encrypted.
  public let addends: Int
  /// The sum of the addends' weights.
  public let weight: Double
  let blocks: [EncryptedTensor]

  /// The size of all ciphertexts in bytes.
  public var byteCount: Int { blocks.reduce(0) { $0 + $1.bytes.count } }

  /// - Throws: ``FederationError`` if the blocks are not those of the layout, or not of one model.
  init(layout: ModelLayout, blocks: [EncryptedTensor], in context: CKKSContext) throws {
    let ranges = EncryptedModel.blockRanges(of: layout.elementCount, in: context)
    let digest = try layout.digest()
    guard ranges.count == blocks.count,
      zip(0..., zip(ranges, blocks)).allSatisfy({ index, pair in
        pair.1.shape == [pair.0.count] && pair.1.header.layout == digest
          && pair.1.header.block == index
      })
    else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "the blocks of an encrypted model are not those of its layout"
      )
    }
    guard let first = blocks.first,
      blocks.allSatisfy({ $0.addends == first.addends && $0.weight == first.weight })
    else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "the blocks of an encrypted model have different weights"
      )
    }
    self.layout = layout
    self.blocks = blocks
    addends = first.addends
    weight = first.weight
  }

  /// Enough for each call of a lane to be worth it, and few enough for a small model to reach several lanes.
  private static let ciphertextsInBlock = 16

  /// Which elements each block has; one block without elements for a model without.
  static func blockRanges(of count: Int, in context: CKKSContext) -> [Range<Int>] {
    let size = ciphertextsInBlock * context.parameters.slots
    guard count > 0 else { return [0..<0] }
    return stride(from: 0, to: count, by: size).map { $0..<$0 + min(size, count - $0) }
  }

  private static let layoutName = "ckks.layout"
  private static func blockName(_ index: Int) -> String { "ckks.\(index)" }

  /// The model as `uint8` tensors: `ckks.layout`, and a block each as `ckks.0`, `ckks.1`, ….
  public func state() throws -> ModelState {
    let layout = try Tensor(Digested.appending(to: layout.encoded()))
    return try ModelState(
      [(name: Self.layoutName, tensor: layout)]
        + blocks.enumerated().map { (name: Self.blockName($0), tensor: $1.bytes) }
    )
  }

  /// Reads what ``state()`` gave, from whomever it comes.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if it is not such a state, of another
  ///   key, or its sizes do not fit. Each ciphertext is checked when it is used.
  public init(_ state: ModelState, in context: CKKSContext) throws {
    guard let stored = state[Self.layoutName], stored.dtype == .uint8, stored.rank == 1 else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "an encrypted model has a tensor '\(Self.layoutName)' of uint8"
      )
    }
    let layout = try stored.withBytes {
      try ModelLayout(encoded: Digested.checked($0, of: "the layout of an encrypted model"))
    }
    // Blocks are looked for only as long as they are there.
    let blocks = try (0..<state.names.count - 1).map { index in
      guard let bytes = state[Self.blockName(index)] else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "an encrypted model has no tensor '\(Self.blockName(index))'"
        )
      }
      return try EncryptedTensor(bytes: bytes, in: context)
    }
    guard !blocks.isEmpty else {
      throw FederationError(code: .rejectedUpdate, message: "an encrypted model has no ciphertexts")
    }
    let size = Self.ciphertextsInBlock * context.parameters.slots
    // Before ranges are made for what a layout promises.
    guard layout.elementCount / size <= blocks.count else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "an encrypted model has fewer blocks than its layout needs"
      )
    }
    try self.init(layout: layout, blocks: blocks, in: context)
  }
}

extension Encryption {
  func encrypt(_ model: ModelState, on pool: LanePool) async throws -> EncryptedModel {
    let elements = try ElementStream(model.entries)
    let layout = ModelLayout(of: model)
    let digest = try layout.digest()
    let ranges = EncryptedModel.blockRanges(of: elements.count, in: context)
    let blocks = try await pool.map(Array(ranges.enumerated())) { index, range in
      try encrypt(elements, in: range, shape: [range.count], layout: digest, block: index)
    }
    return try EncryptedModel(layout: layout, blocks: blocks, in: context)
  }
}

extension CKKSContext {
  /// Encrypts a model with the public key, for sites that must not decrypt.
  ///
  /// - Parameters:
  ///   - model: Tensors of floating-point numbers, with magnitudes up to the parameters' largest.
  ///   - weight: What the elements are multiplied by before encryption; above 0.
  ///   - pool: The lanes that share the work. The bytes do not depend on how many there are.
  ///   - randomness: Leave it as it is.
  /// - Returns: The model, each element times the weight, encrypted.
  /// - Throws: ``FederationError`` naming the tensor that cannot be encrypted.
  public func encrypt(
    _ model: ModelState,
    weight: Double = 1,
    on pool: LanePool,
    randomness: EncryptionRandomness = .secure
  ) async throws -> EncryptedModel {
    try await Encryption(context: self, key: .public, weight: weight, randomness: randomness)
      .encrypt(model, on: pool)
  }
}

extension CKKSSecretKey {
  /// Encrypts a model, with half of each ciphertext as a seed.
  ///
  /// - Parameters:
  ///   - model: Tensors of floating-point numbers, with magnitudes up to the parameters' largest.
  ///   - weight: What the elements are multiplied by before encryption; above 0. The aggregator sees it.
  ///   - pool: The lanes that share the work. The bytes do not depend on how many there are.
  ///   - randomness: Leave it as it is, unless bytes must repeat and nothing is secret.
  /// - Returns: The model, each element times the weight, encrypted.
  /// - Throws: ``FederationError`` naming the tensor that cannot be encrypted: one of whole numbers, or with an element
  ///   that is not finite or too large.
  public func encrypt(
    _ model: ModelState,
    weight: Double = 1,
    on pool: LanePool,
    randomness: EncryptionRandomness = .secure
  ) async throws -> EncryptedModel {
    try await Encryption(
      context: context,
      key: .secret(key),
      weight: weight,
      randomness: randomness
    )
    .encrypt(model, on: pool)
  }

  /// The weighted mean of the models that were encrypted and added, `Σ wᵢ·xᵢ / Σ wᵢ`; of one model, the model itself.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the ciphertexts are of another key
  ///   or damaged.
  public func decrypt(_ encrypted: EncryptedModel, on pool: LanePool) async throws -> ModelState {
    let decryption = Decryption(context: context, key: key)
    let layout = encrypted.layout
    let wide: DType = layout.dtypes.contains(.float64) ? .float64 : .float32
    let blocks = try await pool.map(encrypted.blocks) { try decryption.decrypt($0, dtype: wide) }
    // On a lane as well: it copies the model.
    let models = try await pool.map([blocks]) { try layout.model(of: $0) }
    return models[0]
  }
}

extension ModelLayout {
  /// The model whose elements lie in these blocks, one after the other.
  func model(of blocks: [Tensor]) throws -> ModelState {
    let elements = try concatenate(blocks)
    var position = 0
    return try ModelState(
      (0..<names.count).map { index in
        let count = shapes[index].reduce(1, *)
        defer { position += count }
        let tensor = try elements.slices(in: position..<position + count).reshaped(
          to: shapes[index]
        )
        return (name: names[index], tensor: try tensor.to(dtypes[index]))
      }
    )
  }
}
