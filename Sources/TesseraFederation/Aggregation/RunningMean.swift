public import SystemPackage
public import TesseraCore

/// The weighted mean of updates, folded as they arrive.
///
/// The sum is exact fixed-point arithmetic (``ExactSum``), so updates may arrive in any order and give the same bits. The
/// scale is fixed when the round starts: values may be up to ``headroom`` times as large as the model's largest, and always
/// as large as ``smallestBound(for:)``. An update that does not fit is refused as a whole, and leaves no trace.
///
/// If the *n* updates of all sites come, their mean is off by at most *n* · *b* / 2^61 for values within a bound *b*: by 3e-11
/// for 1,000 updates of `float32` values up to 65,536. If only a share of the weight comes, by as much more as it is less.
///
/// Weights and differences may be mixed: a difference counts as the model plus it. A tensor that an update leaves out on
/// purpose is the mean of those that have it, and stays the model's if none has.
///
/// Memory is 8 bytes for each element of the model, whatever the number of sites, and the result is written over it.
public struct RunningMean: Aggregation {
  /// How much larger than the global model's largest magnitude an update's may be, per tensor.
  public static let headroom = 1024.0

  /// The magnitude that updates may always have, so that tensors that start at zero can grow.
  ///
  /// The more digits a dtype has, the less room there is beside them.
  public static func smallestBound(for dtype: DType) -> Double {
    dtype.isInteger ? smallestCount : dtype == .float64 ? 1024 : 65_536
  }

  /// What whole numbers, such as counts of steps, may always grow to.
  public static let smallestCount = 2_147_483_648.0

  private struct Part {
    var sum: ExactSum
    /// The weight of the updates that have this tensor.
    var weight = 0.0
    /// How much the model itself counts among them: as what differences are added to, and for what was cut from updates.
    var modelWeight = 0.0
  }

  private let model: ModelState
  private var parts: [Part]
  private let capacity: Double
  /// Weights are multiples of one over it: sums of such numbers are exact, so that their order does not matter either.
  private let weightUnit: Double
  /// Where large tensors of the result lie, in temporary files; in memory if `nil`.
  private let spool: FilePath?
  /// The sum of the weights folded so far.
  public private(set) var totalWeight = 0.0

  /// An empty mean for updates to a model.
  ///
  /// - Parameters:
  ///   - model: What the round starts from; updates have its names, shapes and dtypes.
  ///   - capacity: The most that all weights can add up to.
  ///   - spool: Where large tensors of the result lie, in temporary files; in memory if `nil`.
  /// - Throws: ``FederationError`` if the model itself holds numbers that are not finite.
  public init(updating model: ModelState, capacity: Double, spool: FilePath? = nil) throws {
    guard capacity > 0, capacity.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the sites of this round have no examples"
      )
    }
    self.model = model
    self.capacity = capacity
    self.spool = spool
    weightUnit = Double(sign: .plus, exponent: 51 - capacity.exponent, significand: 1)
    parts = try zip(model.names, model.tensors).map { name, tensor in
      let largest = tensor.count == 0 ? 0 : try tensor.largestMagnitude()
      guard largest * Self.headroom < ExactSum.largestBound / 2 else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "the global model's '\(name)' is not finite or too large"
        )
      }
      let wanted = max(largest * Self.headroom, Self.smallestBound(for: tensor.dtype))
      // The next power of two, so that the scale is the same for models that hardly differ.
      let exponent = wanted.exponent + (wanted.significand > 1 ? 1 : 0)
      return Part(
        sum: ExactSum(
          shape: tensor.shape,
          bound: Double(sign: .plus, exponent: exponent, significand: 1),
          totalWeight: capacity
        )
      )
    }
  }

  /// Adds an update, or refuses it as a whole.
  ///
  /// - Parameters:
  ///   - update: Has the model's names, shapes and dtypes, and finite values.
  ///   - site: Who sent it; it may weigh at most its number of examples.
  /// - Returns: The weight that it got: the update's, rounded so that sums of weights are exact.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming the site and the tensor.
  @discardableResult
  public mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
    try fold(update, weight: update.weight(from: site), from: site)
  }

  /// Adds an update that counts with another weight than it says, or moves the model by a part of the way only.
  ///
  /// - Parameters:
  ///   - update: As in ``fold(_:from:)``.
  ///   - weight: How much it counts.
  ///   - scale: How much of its difference from the model counts, in `0...1`; whole numbers count as they are.
  ///   - site: Who sent it.
  /// - Returns: The weight that it got.
  /// - Throws: As ``fold(_:from:)``.
  mutating func fold(
    _ update: Exchange,
    weight: Double,
    scaledBy scale: Double = 1,
    from site: Site
  ) throws -> Double {
    let weight = quantised(weight)
    guard weight > 0 else {
      throw FederationError.rejected(site, "its weight is nothing beside the others'")
    }
    guard totalWeight + weight <= capacity else {
      throw FederationError.rejected(site, "its weight is more than the round has room for")
    }
    let tensors = try update.tensors(matching: model, from: site)
    for index in parts.indices {
      guard let tensor = tensors[index] else { continue }
      let added = scaledWeight(weight, scale, tensor)
      do {
        try parts[index].sum.add(tensor, weight: added)
      } catch let error as TensorError {
        // Integer sums are taken back exactly.
        for done in 0..<index {
          guard let tensor = tensors[done] else { continue }
          try parts[done].sum.subtract(tensor, weight: scaledWeight(weight, scale, tensor))
        }
        throw FederationError.rejected(site, "tensor '\(model.names[index])': \(error.message)")
      }
    }
    count(update, tensors, weight: weight, scaledBy: scale, sign: 1)
    return weight
  }

  /// Takes back an update: integer sums are as they were.
  public mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
    try takeBack(update, weight: weight, scaledBy: 1, from: site)
  }

  /// Takes back an update of which a part was added.
  mutating func takeBack(
    _ update: Exchange,
    weight: Double,
    scaledBy scale: Double,
    from site: Site
  ) throws {
    let tensors = try update.tensors(matching: model, from: site)
    for index in parts.indices {
      guard let tensor = tensors[index] else { continue }
      try parts[index].sum.subtract(tensor, weight: scaledWeight(weight, scale, tensor))
    }
    count(update, tensors, weight: weight, scaledBy: scale, sign: -1)
  }

  private func quantised(_ weight: Double) -> Double {
    (weight * weightUnit).rounded() / weightUnit
  }

  /// `w · (m + s · (x − m)) = w·s · x + (w − w·s) · m`: what an update's values `x` count beside the model's, `m`.
  private func scaledWeight(_ weight: Double, _ scale: Double, _ tensor: Tensor) -> Double {
    scale == 1 || !tensor.dtype.isFloatingPoint ? weight : quantised(weight * scale)
  }

  private mutating func count(
    _ update: Exchange,
    _ tensors: [Tensor?],
    weight: Double,
    scaledBy scale: Double,
    sign: Double
  ) {
    for index in parts.indices {
      guard let tensor = tensors[index] else { continue }
      parts[index].weight += sign * weight
      let isDifference = update.kind == .weightDifference
      let own = isDifference ? 0 : scaledWeight(weight, scale, tensor)
      parts[index].modelWeight += sign * (weight - own)
    }
    totalWeight += sign * weight
  }

  /// The mean of the updates folded so far, as a model.
  ///
  /// More can be folded afterwards. ``result()`` needs less memory.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are none.
  public func mean() throws -> ModelState {
    var copy = self
    return try copy.takeMean()
  }

  /// The mean as an exchange, in the memory of the sums.
  public mutating func result() throws -> Exchange {
    let weight = totalWeight
    return Exchange(.weights, tensors: try takeMean(), metadata: .init(weight: weight))
  }

  /// The mean in the memory of the sums, with floating-point tensors as `float64`: for those who compute on with it.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are no updates.
  mutating func takeWideMean() throws -> ModelState { try takeMean(isWide: true) }

  private mutating func takeMean(isWide: Bool = false) throws -> ModelState {
    guard totalWeight > 0 else {
      throw FederationError(code: .tooFewSites, message: "there is no update to average")
    }
    var index = 0
    return try model.mapTensors { _, tensor in
      defer { index += 1 }
      let (weight, modelWeight) = (parts[index].weight, parts[index].modelWeight)
      let dtype = isWide && tensor.dtype.isFloatingPoint ? .float64 : tensor.dtype
      guard weight > 0 else { return try tensor.to(dtype) }
      return try parts[index].sum.takeQuotient(
        dividingBy: weight,
        dtype: dtype,
        adding: modelWeight > 0 ? try tensor.to(dtype) : nil,
        times: modelWeight / weight,
        spool: spool
      )
    }
  }
}
