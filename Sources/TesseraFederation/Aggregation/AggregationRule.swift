public import SystemPackage
public import TesseraCore

/// How the updates of a round become one.
///
/// A rule that needs nothing but sums folds each update as it arrives and keeps none (``WeightedMean``). One that compares
/// updates conforms to ``CollectiveRule`` instead and is given them chunk by chunk.
public protocol AggregationRule: Sendable {
  /// What takes the updates of one round.
  ///
  /// - Throws: ``FederationError`` if no update could fit.
  func begin(_ round: AggregationRound) throws -> any Aggregation
}

/// What an aggregation is about.
public struct AggregationRound: Sendable {
  /// What the sites were sent: updates have its names, shapes and dtypes.
  public var reference: ModelState
  /// The sites that were asked.
  public var sites: [Site]
  /// Where noise that protects comes from; `nil` where nobody but the sites themselves takes the aggregate.
  public var secrets: SecretSource?
  /// What a sum of updates that count the same is divided by, if their number must not show.
  public var divisor: Double?
  /// Where large results lie, in temporary files, so that they need not be in memory; in memory if `nil`.
  public var spool: FilePath?

  /// A round of these sites.
  public init(
    reference: ModelState,
    sites: [Site],
    secrets: SecretSource? = nil,
    divisor: Double? = nil,
    spool: FilePath? = nil
  ) {
    self.spool = spool
    self.secrets = secrets
    self.divisor = divisor
    self.reference = reference
    self.sites = sites
  }

  /// The most that all weights can add up to: the number of all examples.
  public var capacity: Double { sites.reduce(0) { $0 + Double($1.exampleCount) } }
}

/// The updates of one round, on their way to become one.
public protocol Aggregation: Sendable {
  /// Takes an update, or refuses it as a whole.
  ///
  /// - Parameters:
  ///   - update: Weights, or their difference from the round's reference.
  ///   - site: Who sent it.
  /// - Returns: The weight that it got.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming the site and the tensor.
  mutating func fold(_ update: Exchange, from site: Site) throws -> Double

  /// Takes back the update that was folded last from this site, because another part of the same answer was refused.
  mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws

  /// What the updates come to. Nothing is folded afterwards.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are too few for the rule.
  mutating func result() throws -> Exchange
}

extension Exchange {
  /// How much an update from this site counts, unless a rule decides otherwise.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if that is no number above 0, or more
  ///   than the examples that the site announced.
  func weight(from site: Site) throws -> Double {
    let weight = metadata.weight ?? Double(metadata.samples ?? site.exampleCount)
    guard weight.isFinite, weight > 0 else {
      throw FederationError.rejected(site, "its weight is not a number above 0")
    }
    guard weight <= Double(site.exampleCount) else {
      throw FederationError.rejected(
        site,
        "its weight is more than the \(site.exampleCount) examples it announced"
      )
    }
    return weight
  }

  /// The weight that the record shows for an answer that no mean weighs: what it says, as far as the site may say it.
  func claimedWeight(of site: Site) -> Double {
    let weight = metadata.weight ?? Double(metadata.samples ?? site.exampleCount)
    // Records are JSON, which has no NaN.
    return weight.isFinite ? min(max(weight, 0), Double(site.exampleCount)) : 0
  }

  /// The update's tensors in the order of a model, `nil` for those that it leaves out on purpose.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is missing, unknown, or of
  ///   another shape or dtype, naming it.
  func tensors(matching model: ModelState, from site: Site) throws -> [Tensor?] {
    guard kind.isModel else {
      throw FederationError.rejected(site, "it sent \(kind.name) where a model was expected")
    }
    if tensors.names != model.names {
      let excluded = Set(metadata.excluded)
      if let unknown = tensors.names.first(where: { model[$0] == nil }) {
        throw FederationError.rejected(site, "its tensor '\(unknown)' is not the model's")
      }
      let missing = model.names.first { tensors[$0] == nil && !excluded.contains($0) }
      if let missing { throw FederationError.rejected(site, "its tensor '\(missing)' is missing") }
      if tensors.names.isEmpty { throw FederationError.rejected(site, "it sent no tensor") }
    }
    return try zip(model.names, model.tensors).map { name, expected in
      guard let tensor = tensors[name] else { return nil }
      guard tensor.dtype == expected.dtype, tensor.shape == expected.shape else {
        throw FederationError.rejected(
          site,
          """
          tensor '\(name)': \(tensor.dtype) \(tensor.shape) where \(expected.dtype) \
          \(expected.shape) was expected
          """
        )
      }
      return tensor
    }
  }
}

extension FederationError {
  static func rejected(_ site: Site, _ reason: String) -> FederationError {
    FederationError(code: .rejectedUpdate, message: "\(site.name): \(reason)")
  }
}
