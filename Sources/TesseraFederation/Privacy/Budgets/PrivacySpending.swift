internal import TesseraCore

/// A filter that makes answers private, and can say what that costs.
///
///     extension MyNoise: PrivacySpending {
///       func privacyEvents(
///         for exchange: Exchange, in context: FilterContext, after earlier: [any Filter]
///       ) throws -> [PrivacyEvent] {
///         [PrivacyEvent(.pure(epsilon: 0.05), count: exchange.modelCount)]
///       }
///     }
///
/// A site with a budget charges its ledger with these events before the answer leaves; filters behind the first that has a cost
/// work on what may be known, and cost nothing. Neighbours are here the same site with one record replaced, so that its update
/// may become any other that the filter lets through.
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
  /// Two updates that are clipped to *C* can be 2*C* apart: the multiplier is the standard deviation over that.
  ///
  /// - Throws: ``FederationError`` if no earlier ``ClipNorm`` bounds the change, or a filter behind it can make it longer, or a
  ///   tensor is of half precision, which rounds clipped changes to longer ones.
  public func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent] {
    try exchange.models(in: context).map { model, place in
      try model.requireCovered(by: Self.name, nonFloating, in: place)
      guard standardDeviation > 0 else {
        throw FederationError.uncounted(Self.name, "needs noise of more than 0")
      }
      let bound = try earlier.bound(of: model, before: Self.name, in: [.l2, .l1])
      return PrivacyEvent(.gaussian(noiseMultiplier: standardDeviation / (2 * bound)))
    }
  }
}

extension LaplaceNoise: PrivacySpending {
  /// A Laplace mechanism for each model.
  ///
  /// Two updates whose magnitudes sum up to at most *C* can be 2*C* apart in that sum: the multiplier is the scale over that.
  ///
  /// - Throws: ``FederationError`` if no earlier ``ClipNorm`` of ``ClipNorm/Measure/l1`` bounds the change, or a filter behind it
  ///   can make it longer, or a tensor is of half precision, which rounds clipped changes to longer ones.
  public func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent] {
    try exchange.models(in: context).map { model, place in
      try model.requireCovered(by: Self.name, nonFloating, in: place)
      guard scale > 0 else {
        throw FederationError.uncounted(Self.name, "needs noise of more than 0")
      }
      let bound = try earlier.bound(of: model, before: Self.name, in: [.l1])
      return PrivacyEvent(.laplace(noiseMultiplier: scale / (2 * bound)))
    }
  }
}

extension SVTPrivacy: PrivacySpending {
  /// The sparse vector technique, once for each model; it clamps by itself.
  ///
  /// - Throws: ``FederationError`` if whole numbers would travel with the model.
  public func privacyEvents(
    for exchange: Exchange,
    in context: FilterContext,
    after earlier: [any Filter]
  ) throws -> [PrivacyEvent] {
    try exchange.models(in: context).map { model, place in
      try model.requireCovered(by: Self.name, nonFloating, in: place)
      let elements = model.tensors.tensors.reduce(0) {
        $0 + ($1.dtype.isFloatingPoint ? $1.count : 0)
      }
      return PrivacyEvent(.pure(epsilon: epsilon(elements: elements)))
    }
  }
}

extension [any Filter] {
  /// How long a model's change is at most after these filters.
  ///
  /// - Parameters:
  ///   - model: Has the number of tensors.
  ///   - noise: The filter that must know.
  ///   - measures: In which the bound may be given, the one that is asked for first.
  /// - Returns: The bound of its length.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there is none, or the model's types
  ///   are too coarse for it to hold.
  fileprivate func bound(
    of model: Exchange,
    before noise: String,
    in measures: [ClipNorm.Measure]
  ) throws -> Double {
    // `clip-norm` leaves weights in the model's types, and those of half precision round a weight of 1 by up to 2^-11 or 2^-8.
    for (name, tensor) in model.tensors.entries
    where tensor.dtype == .float16 || tensor.dtype == .bfloat16 {
      throw FederationError.uncounted(
        noise,
        "needs models of 'float32' or 'float64', and tensor '\(name)' is '\(tensor.dtype)'"
      )
    }
    let tensors = model.tensors.tensors.count { $0.dtype.isFloatingPoint }
    var bound: Double?
    var loosening: (any Filter)?
    for filter in self {
      if let clip = filter as? ClipNorm, measures.contains(clip.measure) {
        bound = Swift.min(bound ?? .infinity, clip.length(tensors: tensors))
      } else if !(filter is any ShorteningFilter), bound != nil {
        bound = nil
        loosening = filter
      }
    }
    guard let bound else {
      let measure = measures[0].rawValue
      throw FederationError.uncounted(
        noise,
        loosening.map {
          "needs '\(ClipNorm.name)' right before it: \(type(of: $0)) between them can make changes longer"
        } ?? "needs '\(ClipNorm.name)' with measure '\(measure)' before it"
      )
    }
    return bound
  }
}

extension Exchange {
  /// Its models, also those among its parts, each beside what the task came with in its place.
  fileprivate func models(
    in context: FilterContext
  ) -> [(model: Exchange, place: FilteredModel)] {
    var models: [(model: Exchange, place: FilteredModel)] = []
    _ = mapModels(in: context) { model, place in
      models.append((model, place))
      return model
    }
    // Parts are a dictionary.
    return models.sorted { $0.place.path < $1.place.path }
  }

  /// Refuses whole numbers that travel without noise, unless they are the task's own.
  fileprivate func requireCovered(
    by filter: String,
    _ rule: NonFloatingTensors,
    in place: FilteredModel
  ) throws {
    guard rule == .kept else { return }
    for (name, tensor) in tensors.entries where !tensor.dtype.isFloatingPoint {
      guard let own = place.reference?[name], try own.isIdentical(to: tensor) else {
        throw FederationError.uncounted(
          filter,
          "lets the whole numbers of tensor '\(name)' pass without noise: leave the tensor out"
        )
      }
    }
  }
}

extension FederationError {
  fileprivate static func uncounted(_ filter: String, _ reason: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "'\(filter)' \(reason), to be counted against a privacy budget"
    )
  }
}
