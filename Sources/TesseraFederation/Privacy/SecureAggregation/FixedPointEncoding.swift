internal import Crypto
internal import Foundation
public import TesseraCore
internal import TesseraRun

/// A model state as whole numbers modulo 2^64, so that sums of masked states are exact.
///
/// The floating tensors lie one after another in the model's order, each element as `round(weight · x / resolution)`, and the
/// weight follows as the last element: the sum of such vectors gives the weighted mean, and its reader learns Σ w·x and Σ w
/// alone. Tensors of whole numbers are left out.
///
/// The bit budget is fixed when the round starts, for `sites` sites: `sites · largestWeight · bound / resolution ≤ 2^61`, so
/// that the sum fits in 64 bits with its sign, with a factor of four for rounding and noise. Without a wanted resolution the
/// finest is taken. With 100 sites of at most 1,000 examples and a bound of 16, that is 2^-40; a mean of all is then off by
/// at most half of that for each unit of mean weight.
public struct FixedPointEncoding: Sendable, Hashable {
  /// A tensor in the vector.
  public struct Entry: Sendable, Hashable, Codable {
    /// Its name.
    public let name: String
    /// Its shape.
    public let shape: [Int]
  }

  /// The tensors, in the order of the vector.
  public let entries: [Entry]
  /// The largest magnitude that an element may have.
  public let bound: Double
  /// The largest weight that a site may have.
  public let largestWeight: Double
  /// How many sites there are at most.
  public let sites: Int
  /// What one unit of an element of the sum stands for: a power of two.
  public let resolution: Double
  /// What one unit of the last element, the weight, stands for: a power of two.
  public let weightResolution: Double
  /// How many elements the tensors have.
  public let elementCount: Int

  /// The largest magnitude of an element of a sum that keeps to the bounds, with as much again for noise.
  private static let largestSum: UInt64 = 1 << 62

  /// An encoding for states with the layout of a given one.
  ///
  /// - Parameters:
  ///   - state: Any state of the model.
  ///   - bound: The largest magnitude that an element may have, above 0.
  ///   - largestWeight: The largest weight that a site may have, above 0.
  ///   - sites: How many sites there are at most.
  ///   - resolution: The coarsest unit that will do; the finest that fits if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if a number is outside what is
  ///   allowed, there is no floating tensor, or the resolution does not fit in 64 bits.
  public init(
    layoutOf state: ModelState,
    bound: Double,
    largestWeight: Double,
    sites: Int,
    resolution: Double? = nil
  ) throws {
    try self.init(
      entries: state.entries.filter(\.tensor.dtype.isFloatingPoint)
        .map { Entry(name: $0.name, shape: $0.tensor.shape) },
      bound: bound,
      largestWeight: largestWeight,
      sites: sites,
      resolution: resolution
    )
  }

  private init(
    entries: [Entry],
    bound: Double,
    largestWeight: Double,
    sites: Int,
    resolution: Double?
  ) throws {
    let allowed = 0x1p-100...0x1p100
    guard allowed.contains(bound), allowed.contains(largestWeight),
      (0x1p-300...0x1p300).contains(resolution ?? 1),
      SecureAggregationConfiguration.Limits.sites.contains(sites)
    else {
      throw Self.invalid(
        """
        bound and largest weight must be in 2^-100...2^100, a resolution in 2^-300...2^300, and \
        sites in \(SecureAggregationConfiguration.Limits.sites)
        """
      )
    }
    let count = try entries.reduce(0) { try Self.added($0, $1) }
    let lengths = SecureAggregationConfiguration.Limits.vectorLength
    guard count > 0, count < lengths.upperBound else {
      throw Self.invalid(
        "the model has \(count) floating elements, which must be in 1..<\(lengths.upperBound)"
      )
    }
    let finest = Self.powerOfTwo(notBelow: bound * largestWeight * Double(sites) * 0x1p-61)
    let chosen = resolution.map(Self.powerOfTwo(notAbove:)) ?? finest
    guard chosen >= finest else {
      throw Self.invalid(
        """
        with \(sites) sites, weights up to \(largestWeight) and elements up to \(bound), 64 bits \
        give a resolution of \(finest), not of \(chosen)
        """
      )
    }
    self.entries = entries
    self.bound = bound
    self.largestWeight = largestWeight
    self.sites = sites
    self.resolution = chosen
    weightResolution = Self.powerOfTwo(notBelow: largestWeight * Double(sites) * 0x1p-61)
    elementCount = count
  }

  private static func added(_ count: Int, _ entry: Entry) throws -> Int {
    var product = 1
    var overflow = false
    for size in entry.shape {
      let (result, overflows) = product.multipliedReportingOverflow(by: size)
      product = result
      overflow = overflow || overflows || size < 0
    }
    let (sum, overflows) = count.addingReportingOverflow(product)
    guard !overflow, !overflows else {
      throw invalid("'\(entry.name)': \(entry.shape) is not the shape of a tensor")
    }
    return sum
  }

  /// How many elements a vector has: those of the tensors, and the weight.
  public var vectorLength: Int { elementCount + 1 }

  /// What all sites must have alike for their vectors to be summed, for
  /// ``SecureAggregationConfiguration/agreement``.
  public var fingerprint: String {
    let layout = entries.map { "\($0.name.utf8.count):\($0.name)\($0.shape)" }.joined()
    let digest = Digest.text(SHA256.hash(data: Data(layout.utf8)))
    return """
      fixed point, bound \(bound), weight \(largestWeight), sites \(sites), \
      resolution \(resolution) and \(weightResolution), layout \(digest)
      """
  }

  /// The Euclidean norm, in units, that a contribution can have: for calibrating noise.
  ///
  /// Rounding to the nearest moves each element by half a unit at most, and so the norm by half the root of their number.
  ///
  /// - Parameter norm: The largest norm of a state's floating tensors together; the caller has clipped to it.
  /// - Returns: The norm of the vector without its last element, at most.
  public func sensitivity(ofNorm norm: Double) -> Double {
    norm * largestWeight / resolution + Double(elementCount).squareRoot() / 2
  }

  /// The vector of a state and its weight.
  ///
  /// - Parameters:
  ///   - state: A state of the layout.
  ///   - weight: Above 0 and at most ``largestWeight``.
  ///   - clipping: Whether elements beyond the bound are moved to it; refused otherwise.
  /// - Returns: ``vectorLength`` numbers, negative ones as 2^64 less their magnitude.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the layout or the weight differs, or an
  ///   element is not a number, infinite, or beyond the bound.
  public func encode(
    _ state: ModelState,
    weight: Double,
    clipping: Bool = false
  ) throws -> [UInt64] {
    guard weight > 0, weight <= largestWeight else {
      throw Self.rejected("the weight must be above 0 and at most \(largestWeight)")
    }
    let floating = state.entries.filter(\.tensor.dtype.isFloatingPoint)
    guard floating.map(\.name) == entries.map(\.name),
      floating.map(\.tensor.shape) == entries.map(\.shape)
    else { throw Self.rejected("the floating tensors are not those of the agreed layout") }
    let scale = weight / resolution
    var vector: [UInt64] = []
    vector.reserveCapacity(vectorLength)
    for (name, tensor) in floating {
      for element in try tensor.to(.float64).array(of: Double.self) {
        // Not-a-number fails both comparisons.
        guard abs(element) <= bound || (clipping && abs(element) > bound) else {
          throw Self.rejected("'\(name)': an element is not a number, infinite or beyond ±\(bound)")
        }
        let clipped = max(-bound, min(element, bound))
        vector.append(UInt64(bitPattern: Int64((clipped * scale).rounded())))
      }
    }
    // A weight below the unit still counts.
    vector.append(UInt64(max(1, (weight / weightResolution).rounded())))
    return vector
  }

  /// The weighted mean of the states whose vectors make a sum, and the sum of their weights.
  ///
  /// - Parameters:
  ///   - sum: The sum of vectors of this encoding, modulo 2^64.
  ///   - template: A state of the layout: gives the dtypes, and the tensors of whole numbers.
  /// - Returns: The mean, and Σ w.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the length or layout differs, or the sum
  ///   is one that no sites within the bounds can have.
  public func decodeMean(
    _ sum: [UInt64],
    like template: ModelState
  ) throws -> (mean: ModelState, totalWeight: Double) {
    guard sum.count == vectorLength, let last = sum.last else {
      throw Self.rejected("a sum of \(sum.count) elements where \(vectorLength) were expected")
    }
    let totalWeight = Double(last) * weightResolution
    guard last > 0, last <= 1 << 62 else {
      throw Self.rejected("the sum of the weights is one that no sites within the bounds can have")
    }
    return (try decode(sum, dividingBy: totalWeight, like: template), totalWeight)
  }

  /// The sum of vectors as a state, divided by a number.
  ///
  /// - Parameters:
  ///   - sum: The sum of vectors of this encoding, modulo 2^64.
  ///   - divisor: Above 0; a public number of sites, where the sum of the weights must not be used.
  ///   - template: A state of the layout: gives the dtypes, and the tensors of whole numbers.
  /// - Returns: Σ w·x / `divisor`.
  /// - Throws: As ``decodeMean(_:like:)``.
  public func decode(
    _ sum: [UInt64],
    dividingBy divisor: Double,
    like template: ModelState
  ) throws -> ModelState {
    let floating = template.entries.filter(\.tensor.dtype.isFloatingPoint)
    guard sum.count == vectorLength, divisor > 0, divisor.isFinite,
      floating.map(\.name) == entries.map(\.name),
      floating.map(\.tensor.shape) == entries.map(\.shape)
    else { throw Self.rejected("a sum or template that is not of the agreed layout") }
    var start = 0
    return try template.mapTensors { name, tensor in
      guard tensor.dtype.isFloatingPoint else { return tensor }
      let values = try sum[start..<start + tensor.count].map { element in
        let number = Int64(bitPattern: element)
        guard number.magnitude <= Self.largestSum else {
          throw Self.rejected(
            "'\(name)': the sum is one that no sites within the bounds can have"
          )
        }
        return Double(number) * resolution / divisor
      }
      start += tensor.count
      return try Tensor(values, shape: tensor.shape).to(tensor.dtype)
    }
  }

  private static func powerOfTwo(notBelow number: Double) -> Double {
    let floor = powerOfTwo(notAbove: number)
    return floor < number ? floor * 2 : floor
  }

  private static func powerOfTwo(notAbove number: Double) -> Double {
    Double(sign: .plus, exponent: Int(number.exponent), significand: 1)
  }

  private static func invalid(_ message: String) -> FederationError {
    FederationError(code: .invalidConfiguration, message: "fixed-point encoding: \(message)")
  }

  private static func rejected(_ message: String) -> FederationError {
    FederationError(code: .rejectedUpdate, message: "fixed-point encoding: \(message)")
  }
}

extension FixedPointEncoding: Codable {
  private enum Key: String, CodingKey {
    case entries, bound, largestWeight, sites, resolution
  }

  /// Reads an encoding and checks it.
  ///
  /// - Throws: `DecodingError`, or ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    try self.init(
      entries: fields.decode([Entry].self, forKey: .entries),
      bound: fields.decode(Double.self, forKey: .bound),
      largestWeight: fields.decode(Double.self, forKey: .largestWeight),
      sites: fields.decode(Int.self, forKey: .sites),
      resolution: fields.decode(Double.self, forKey: .resolution)
    )
  }

  /// Writes what the rest follows from.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(entries, forKey: .entries)
    try fields.encode(bound, forKey: .bound)
    try fields.encode(largestWeight, forKey: .largestWeight)
    try fields.encode(sites, forKey: .sites)
    try fields.encode(resolution, forKey: .resolution)
  }
}
