/// The sum of encrypted models, as an aggregator makes it, without a key that decrypts.
///
/// Models are added ciphertext by ciphertext. Memory is that of one encrypted model in full, whatever the number of sites.
/// Sums of ciphertexts are exact, so models may come in any order and give the same bytes.
///
///     var sum = try EncryptedModelSum(of: first.layout, in: context)
///     for (site, model) in models { try await sum.add(model, from: site, on: pool) }
///     let mean = try await secretKey.decrypt(sum.total(on: pool), on: pool)    // at a site
///
/// It changes in place and is not copied.
public struct EncryptedModelSum: ~Copyable {
  /// The layout of the models.
  public let layout: ModelLayout
  private let context: CKKSContext
  private let blocks: [CiphertextSums]
  /// Whether a model was taken in only in part, when its adding was cancelled.
  private var isBroken = false

  /// How many models were added.
  public private(set) var addends = 0
  /// The sum of their weights.
  public private(set) var weight = 0.0

  /// An empty sum.
  ///
  /// - Throws: ``FederationError`` if such models cannot be encrypted.
  public init(of layout: ModelLayout, in context: CKKSContext) throws {
    self.layout = layout
    self.context = context
    blocks = try EncryptedModel.emptySums(of: layout, in: context)
  }

  /// Adds a model, or refuses it as a whole.
  ///
  /// - Parameters:
  ///   - model: Of the sum's layout, under its key.
  ///   - site: Who sent it, for the error.
  ///   - pool: The lanes that share the work.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming the site; `CancellationError`
  ///   if the task was cancelled, after which the sum cannot be used.
  public mutating func add(
    _ model: EncryptedModel,
    from site: String,
    on pool: LanePool
  ) async throws {
    func rejected(_ reason: String) -> FederationError {
      FederationError(code: .rejectedUpdate, message: "\(site): \(reason)")
    }
    guard !isBroken else {
      throw rejected("a cancelled addition has left the encrypted sum unusable")
    }
    if let name = layout.firstDifference(from: model.layout) {
      throw rejected("the encrypted model is not the global model's (first difference: '\(name)')")
    }
    let blocks = blocks
    // Taken for broken until all of the model is in, or out again: this may be cancelled at any point.
    isBroken = true
    let failures = try await pool.map(Array(blocks.indices)) { index -> (any Error)? in
      do {
        try blocks[index].add(model.blocks[index])
        return nil
      } catch {
        return error
      }
    }
    if let failure = failures.lazy.compactMap({ $0 }).first {
      let added = blocks.indices.filter { failures[$0] == nil }
      let before = weight
      _ = try await pool.map(added) {
        try blocks[$0].takeBack(model.blocks[$0], restoring: before)
      }
      isBroken = false
      throw (failure as? FederationError).map { rejected($0.message) } ?? failure
    }
    isBroken = false
    addends += model.addends
    weight += model.weight
  }

  /// The sum, which is used up: each block's memory goes as its bytes are written.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if nothing was added.
  public consuming func total(on pool: LanePool) async throws -> EncryptedModel {
    guard !isBroken else {
      throw FederationError(
        code: .rejectedUpdate,
        message: "a cancelled addition has left the encrypted sum unusable"
      )
    }
    let written = try await pool.map(blocks) { block in
      defer { block.clear() }
      return try block.total()
    }
    return try EncryptedModel(layout: layout, blocks: written, in: context)
  }
}
