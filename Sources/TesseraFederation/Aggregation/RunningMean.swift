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
/// Memory is 8 bytes for each element of the model, whatever the number of sites.
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
    /// The weight of those among them that are differences.
    var differenceWeight = 0.0
  }

  private let model: ModelState
  private var parts: [Part]
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
    parts = try zip(model.names, model.tensors).map { name, tensor in
      let largest = tensor.count == 0 ? 0 : try Self.largestMagnitude(of: tensor)
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

  /// By the extremes, without a copy as large as the tensor.
  private static func largestMagnitude(of tensor: Tensor) throws -> Double {
    let tensor = tensor.dtype == .bool ? try tensor.to(.uint8) : tensor
    let (low, high) = (try tensor.minimum().item(), try tensor.maximum().item())
    return max(Swift.abs(low), Swift.abs(high))
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

  /// Adds an update that counts with another weight than it says.
  mutating func fold(_ update: Exchange, weight: Double, from site: Site) throws -> Double {
    let weight = (weight * weightUnit).rounded() / weightUnit
    guard weight > 0 else {
      throw FederationError.rejected(site, "its weight is nothing beside the others'")
    }
    guard totalWeight + weight <= capacity else {
      throw FederationError.rejected(site, "its weight is more than the round has room for")
    }
    let tensors = try update.tensors(matching: model, from: site)
    for index in parts.indices {
      guard let tensor = tensors[index] else { continue }
      do {
        try parts[index].sum.add(tensor, weight: weight)
      } catch let error as TensorError {
        // Integer sums are taken back exactly.
        for done in 0..<index {
          if let tensor = tensors[done] { try parts[done].sum.subtract(tensor, weight: weight) }
        }
        throw FederationError.rejected(site, "tensor '\(model.names[index])': \(error.message)")
      }
    }
    for index in parts.indices where tensors[index] != nil {
      parts[index].weight += weight
      if update.kind == .weightDifference { parts[index].differenceWeight += weight }
    }
    totalWeight += weight
    return weight
  }

  /// Takes back an update: integer sums are as they were.
  public mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) throws {
    let tensors = try update.tensors(matching: model, from: site)
    for index in parts.indices {
      guard let tensor = tensors[index] else { continue }
      try parts[index].sum.subtract(tensor, weight: weight)
      parts[index].weight -= weight
      if update.kind == .weightDifference { parts[index].differenceWeight -= weight }
    }
    totalWeight -= weight
  }

  /// The mean of the updates folded so far, as a model.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are none.
  public func mean() throws -> ModelState {
    guard totalWeight > 0 else {
      throw FederationError(code: .tooFewSites, message: "there is no update to average")
    }
    var index = 0
    return try model.mapTensors { _, tensor in
      defer { index += 1 }
      let part = parts[index]
      guard part.weight > 0 else { return tensor }
      let mean = try part.sum.quotient(dividingBy: part.weight, dtype: tensor.dtype)
      guard part.differenceWeight > 0 else { return mean }
      guard part.differenceWeight < part.weight else { return try mean + tensor }
      return try (mean + tensor * (part.differenceWeight / part.weight)).to(tensor.dtype)
    }
  }

  /// The mean as an exchange.
  public mutating func result() throws -> Exchange {
    Exchange(.weights, tensors: try mean(), metadata: .init(weight: totalWeight))
  }
}
