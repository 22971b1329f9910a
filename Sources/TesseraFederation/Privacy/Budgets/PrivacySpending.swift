internal import TesseraCore

/// A filter that makes answers private, and can say what that costs.
///
///     extension MyNoise: PrivacySpending {
///       func privacyEvents(
///         for exchange: Exchange, in context: FilterContext, after earlier: [any Filter]
///       ) throws -> [PrivacyEvent] {
///         [PrivacyEvent(.laplace(noiseMultiplier: 20), count: exchange.modelCount)]
///       }
///     }
///
/// A site with a budget charges its ledger with these events before the answer leaves. Neighbours are here the same site
/// with one record replaced, so that its update may become any other that the filter lets through.
public protocol PrivacySpending: Filter {
  /// What the release of an exchange costs.
  ///
  /// - Parameters:
  ///   - exchange: The exchange before this filter.
  ///   - context: Where the filter is at work.
  ///   - earlier: The filters that the exchange has passed.
  /// - Returns: The mechanisms, for an accountant; none for what needs no privacy.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the filter promises nothing that
  ///   can be counted.
  func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent]
}

extension Exchange {
  /// How many models it holds, also among its parts.
  public var modelCount: Int {
    kind.isModel ? 1 : parts.values.reduce(0) { $0 + $1.modelCount }
  }
}

extension GaussianNoise: PrivacySpending {
  /// A Gaussian mechanism for each model.
  ///
  /// Two updates that are clipped to *C* can be 2*C* apart, so the multiplier over the sensitivity is half that over *C*.
  ///
  /// - Throws: ``FederationError`` if the noise was given without a clipping norm, or no earlier ``ClipNorm`` keeps all
  ///   tensors of a change together within it.
  public func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent] {
    guard exchange.modelCount > 0 else { return [] }
    guard let noiseMultiplier, let clipNorm else {
      throw FederationError.uncounted(Self.name, "needs a noise multiplier and a clipping norm")
    }
    let isClipped = earlier.contains { filter in
      guard let clip = filter as? ClipNorm else { return false }
      return !clip.isPerTensor && clip.norm <= clipNorm
    }
    guard isClipped else {
      throw FederationError.uncounted(
        Self.name,
        "needs '\(ClipNorm.name)' with a norm of at most \(clipNorm) before it"
      )
    }
    return [
      PrivacyEvent(.gaussian(noiseMultiplier: noiseMultiplier / 2), count: exchange.modelCount)
    ]
  }
}

extension LaplaceNoise: PrivacySpending {
  /// A Laplace mechanism for each model, of the sensitivity that the filter was told.
  ///
  /// - Throws: ``FederationError`` if it was told none.
  public func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent] {
    guard exchange.modelCount > 0 else { return [] }
    guard let sensitivity else {
      throw FederationError.uncounted(Self.name, "needs an epsilon and a sensitivity")
    }
    return [
      PrivacyEvent(.laplace(noiseMultiplier: scale / sensitivity), count: exchange.modelCount)
    ]
  }
}

extension SVTPrivacy: PrivacySpending {
  /// The sparse vector technique, once for each model.
  public func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent] {
    guard exchange.kind.isModel else {
      return try exchange.parts.sorted { $0.key < $1.key }.flatMap {
        try privacyEvents(for: $0.value, in: context, after: earlier)
      }
    }
    let elements = exchange.tensors.tensors.reduce(0) {
      $0 + ($1.dtype.isFloatingPoint ? $1.count : 0)
    }
    return [PrivacyEvent(.pure(epsilon: epsilon(elements: elements)))]
  }
}

extension FederationError {
  fileprivate static func uncounted(_ filter: String, _ reason: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "'\(filter)' \(reason) to be counted against a privacy budget"
    )
  }
}
