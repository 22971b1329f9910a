public import TesseraCore

/// The weighted mean of the updates of one round, `Σ wᵢ·xᵢ / Σ wᵢ`, folded as they arrive (McMahan et al., 2017).
///
/// The sum is exact fixed-point arithmetic (``ExactSum``), so updates may arrive in any order and give the same bits. The
/// scale is fixed when the round starts: values may be up to ``headroom`` times as large as the model's largest, and always
/// as large as ``smallestBound(for:)``. An update that does not fit is refused as a whole, and leaves no trace.
///
/// If the *n* updates of all sites come, their mean is off by at most *n* · *b* / 2^61 for values within a bound *b*: by 3e-11
/// for 1,000 updates of `float32` values up to 65,536. If only a share of the weight comes, by as much more as it is less.
///
/// Memory is 8 bytes for each element of the model, whatever the number of sites.
public struct WeightedMean: Sendable {
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

  private let model: ModelState
  private var sums: [ExactSum]
  private let capacity: Double
  /// Weights are multiples of one over it: sums of such numbers are exact, so that their order does not matter either.
  private let weightUnit: Double
  /// The sum of the weights folded so far.
  public private(set) var totalWeight = 0.0

  /// An empty mean for updates to a model.
  ///
  /// - Parameters:
  ///   - model: What the round starts from; updates have its names, shapes and dtypes.
  ///   - capacity: The most that all weights can add up to.
  /// - Throws: ``FederationError`` if the model itself holds numbers that are not finite.
  public init(updating model: ModelState, capacity: Double) throws {
    guard capacity > 0, capacity.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the sites of this round have no examples"
      )
    }
    self.model = model
    self.capacity = capacity
    weightUnit = Double(sign: .plus, exponent: 51 - capacity.exponent, significand: 1)
    sums = try zip(model.names, model.tensors).map { name, tensor in
      let largest = tensor.count == 0 ? 0 : try abs(tensor.to(.float64)).maximum().item()
      guard largest * Self.headroom < ExactSum.largestBound / 2 else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "the global model's '\(name)' is not finite or too large"
        )
      }
      let wanted = max(largest * Self.headroom, Self.smallestBound(for: tensor.dtype))
      // The next power of two, so that the scale is the same for models that hardly differ.
      let exponent = wanted.exponent + (wanted.significand > 1 ? 1 : 0)
      return ExactSum(
        shape: tensor.shape,
        bound: Double(sign: .plus, exponent: exponent, significand: 1),
        totalWeight: capacity
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
  public mutating func fold(_ update: Update, from site: Site) throws -> Double {
    func rejected(_ reason: String) -> FederationError {
      FederationError(code: .rejectedUpdate, message: "\(site.name): \(reason)")
    }
    let weight = (update.weight * weightUnit).rounded() / weightUnit
    guard weight.isFinite, weight > 0 else {
      throw rejected("its weight is not a number above 0, or nothing beside the others'")
    }
    guard weight <= Double(site.exampleCount), totalWeight + weight <= capacity else {
      throw rejected("its weight is more than the \(site.exampleCount) examples it announced")
    }
    guard update.model.names == model.names else {
      let missing = Set(model.names).symmetricDifference(update.model.names).sorted().first
      throw rejected("its tensors are not the model's (first difference: '\(missing ?? "order")')")
    }
    for index in sums.indices {
      let tensor = update.model.tensors[index]
      do {
        guard tensor.dtype == model.tensors[index].dtype else {
          throw TensorError(
            code: .shapeMismatch,
            message: "dtype \(tensor.dtype) where \(model.tensors[index].dtype) was expected"
          )
        }
        try sums[index].add(tensor, weight: weight)
      } catch let error as TensorError {
        // Integer sums are taken back exactly.
        for done in 0..<index {
          try sums[done].subtract(update.model.tensors[done], weight: weight)
        }
        throw rejected("tensor '\(model.names[index])': \(error.message)")
      }
    }
    totalWeight += weight
    return weight
  }

  /// The mean of the updates folded so far.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are none.
  public func mean() throws -> ModelState {
    guard totalWeight > 0 else {
      throw FederationError(code: .tooFewSites, message: "there is no update to average")
    }
    var index = 0
    return try model.mapTensors { _, tensor in
      defer { index += 1 }
      return try sums[index].quotient(dividingBy: totalWeight, dtype: tensor.dtype)
    }
  }
}
