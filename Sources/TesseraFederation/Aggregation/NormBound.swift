internal import TesseraCore

/// The weighted mean of updates none of which moves the model farther than a bound (Sun, Kairouz, Suresh and McMahan, 2019).
///
/// An update's difference from the model counts times `min(1, bound / ‖difference‖)`, the Euclidean norm being that over all
/// floating-point tensors together. Each update is folded as it arrives, in no more memory than ``RunningMean`` needs: cut
/// differences are the update and the model in other shares. The promises of ``RunningMean`` hold, and so does its limit: an
/// update with numbers far beyond the model's is refused, not cut.
public struct NormBound: AggregationRule {
  /// How far an update may move the model.
  public enum Bound: Sendable, Hashable {
    /// By this Euclidean distance.
    case fixed(Double)
    /// By this multiple of the model's own Euclidean norm.
    case timesNormOfModel(Double)
  }

  /// How far an update may move the model.
  public let bound: Bound

  /// A bound for every update.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it is not above 0.
  public init(_ bound: Bound) throws {
    let value =
      switch bound {
      case .fixed(let value), .timesNormOfModel(let value): value
      }
    guard value > 0, value.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the bound of an update's norm must be above 0, not \(value)"
      )
    }
    self.bound = bound
  }

  /// A mean that has taken nothing yet.
  public func begin(_ round: AggregationRound) throws -> any Aggregation {
    let model = round.reference
    let length: Double
    switch bound {
    case .fixed(let value): length = value
    case .timesNormOfModel(let factor):
      length =
        factor * (try BoundedMean.norm(of: model.tensors, from: model.tensors.map { _ in nil }))
      guard length > 0 else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "a model of zeros has no norm whose multiple an update could move it by"
        )
      }
    }
    return BoundedMean(
      mean: try RunningMean(updating: model, capacity: round.capacity, spool: round.spool),
      model: model,
      bound: length
    )
  }
}

/// The mean of updates that are cut to a norm.
struct BoundedMean: Aggregation {
  var mean: RunningMean
  let model: ModelState
  let bound: Double

  mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
    let weight = try update.weight(from: site)
    return try mean.fold(
      update,
      weight: weight,
      scaledBy: scale(of: update, from: site),
      from: site
    )
  }

  mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
    let scale = try scale(of: update, from: site)
    try mean.takeBack(update, weight: weight, scaledBy: scale, from: site)
  }

  mutating func result() throws -> Exchange { try mean.result() }

  func scale(of update: Exchange, from site: Site) throws -> Double {
    let tensors = try update.tensors(matching: model, from: site)
    let isDifference = update.kind == .weightDifference
    let norm = try Self.norm(of: tensors, from: model.tensors.map { isDifference ? nil : $0 })
    // What is not finite is refused when it is folded, by name.
    return norm > bound ? bound / norm : 1
  }

  /// The Euclidean distance over all floating-point tensors; from zero where there is nothing else.
  static func norm(of tensors: [Tensor?], from others: [Tensor?]) throws -> Double {
    var sum = 0.0
    for (tensor, other) in zip(tensors, others) {
      guard let tensor, tensor.dtype.isFloatingPoint else { continue }
      sum += try tensor.squaredDistance(to: other)
    }
    return sum.squareRoot()
  }
}

extension AggregationRule where Self == NormBound {
  /// The weighted mean of updates that move the model by at most this Euclidean distance each.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it is not above 0.
  public static func normBound(_ bound: Double) throws -> Self { try Self(.fixed(bound)) }

  /// The weighted mean of updates that move the model by at most this multiple of its own Euclidean norm each.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it is not above 0.
  public static func normBound(timesNormOfModel factor: Double) throws -> Self {
    try Self(.timesNormOfModel(factor))
  }
}
