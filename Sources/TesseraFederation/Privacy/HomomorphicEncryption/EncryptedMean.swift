internal import TesseraCore

/// The weighted mean of encrypted models: the aggregator adds what it cannot read.
///
/// The sites encrypt by ``EncryptModel``, and read the sum by ``DecryptModel``; the global model stays encrypted at the
/// server. Sums of ciphertexts are exact, so updates may arrive in any order and give the same bytes. Memory is that of one
/// encrypted model in full, whatever the number of sites.
public struct EncryptedMean: AggregationRule {
  /// The public side of the sites' key.
  public let context: CKKSContext
  private let weightUnit: Double

  /// A mean under a key that the aggregator has not.
  ///
  /// - Parameters:
  ///   - context: The public side of the sites' key.
  ///   - examples: How many examples all sites have together: an update whose ciphertexts weigh more than the examples of its site
  ///     is refused, whatever it says about itself.
  public init(context: CKKSContext, examples: Int) {
    self.context = context
    weightUnit = EncryptModel.weightUnit(examples: examples)
  }

  /// A sum that has taken nothing yet.
  ///
  /// - Throws: ``FederationError`` if the model cannot be encrypted.
  public func begin(_ round: AggregationRound) throws -> any Aggregation {
    let reference = round.reference
    let layout =
      EncryptedModel.isState(reference)
      ? try EncryptedModel(reference, in: context).layout : ModelLayout(of: reference)
    return try EncryptedAggregation(of: layout, in: context, weightUnit: weightUnit)
  }
}

/// Adds encrypted models on the threads that they arrive on.
private struct EncryptedAggregation: Aggregation {
  private let layout: ModelLayout
  private let context: CKKSContext
  private let blocks: [CiphertextSums]
  private let weightUnit: Double

  init(of layout: ModelLayout, in context: CKKSContext, weightUnit: Double) throws {
    self.weightUnit = weightUnit
    self.layout = layout
    self.context = context
    blocks = try EncryptedModel.emptySums(of: layout, in: context)
  }

  mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
    let weight = try update.weight(from: site)
    let model = try model(of: update, from: site)
    guard model.addends == 1, model.weight <= weight * weightUnit * (1 + 1e-9) else {
      throw FederationError.rejected(
        site,
        "its ciphertexts are of \(model.addends) models, or weigh more than it says they do"
      )
    }
    var done = 0
    do {
      for (sum, block) in zip(blocks, model.blocks) {
        try sum.add(block)
        done += 1
      }
    } catch {
      for index in 0..<done {
        let before = blocks[index].weight - model.blocks[index].weight
        try blocks[index].takeBack(model.blocks[index], restoring: before)
      }
      throw FederationError.rejected(site, (error as? FederationError)?.message ?? "\(error)")
    }
    return weight
  }

  mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
    let model = try model(of: update, from: site)
    for (sum, block) in zip(blocks, model.blocks) {
      try sum.takeBack(block, restoring: sum.weight - block.weight)
    }
  }

  private func model(of update: Exchange, from site: Site) throws -> EncryptedModel {
    guard update.kind == .weights,
      update.metadata.processing.last?.algorithm == EncryptModel.algorithm
    else { throw FederationError.rejected(site, "it sent a model that is not encrypted") }
    let model: EncryptedModel
    do {
      model = try EncryptedModel(update.tensors, in: context)
    } catch let error as FederationError {
      throw FederationError.rejected(site, error.message)
    }
    if let name = layout.firstDifference(from: model.layout) {
      throw FederationError.rejected(
        site,
        "the encrypted model is not the global model's (first difference: '\(name)')"
      )
    }
    return model
  }

  mutating func result() throws -> Exchange {
    let total = try EncryptedModel(
      layout: layout,
      blocks: try blocks.map { block in
        defer { block.clear() }
        return try block.total()
      },
      in: context
    )
    return try EncryptModel.exchange(total)
  }
}

extension EncryptedModel {
  /// Whether a state is one of an encrypted model.
  static func isState(_ state: ModelState) -> Bool { state["ckks.layout"]?.dtype == .uint8 }

  /// Sums of nothing, for each block.
  static func emptySums(
    of layout: ModelLayout,
    in context: CKKSContext
  ) throws -> [CiphertextSums] {
    let digest = try layout.digest()
    return try blockRanges(of: layout.elementCount, in: context).enumerated().map { index, range in
      var header = try EncryptedHeader(
        identity: context.identity,
        isSeeded: false,
        addends: 1,
        weight: 1,
        shape: [range.count]
      )
      header.layout = digest
      header.block = index
      return try CiphertextSums(header, in: context)
    }
  }
}
