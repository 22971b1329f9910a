internal import Foundation

extension PrivacyLossDistribution {
  /// The distribution for one use of a mechanism.
  ///
  /// The "connect the dots" method of Doroshenko, Ghazi, Kamath, Kumar & Manurangsi (2022): what lies at a loss ℓ between two
  /// losses *a* < *b* of the grid is shared between them so that both its probability under *P* and that under *Q* stay,
  ///
  ///     w_b = (1 - exp(a - ℓ)) / (1 - exp(a - b))        w_a = 1 - w_b
  ///
  /// which joins the true δ at neighbouring losses by a chord in exp(ε), as low as a pessimistic distribution on
  /// that grid can be. Densities are integrated cell by cell by Gauss–Legendre quadrature, whose terms are all
  /// positive; the tails of a Gaussian, 1.6e-23 in all, count as an infinite loss.
  ///
  /// - Parameters:
  ///   - mechanism: Anything but a sample without replacement and a concentrated mechanism.
  ///   - removing: Whether *P* is with the one record and *Q* without it, or the other way round. It matters for samples
  ///     only; the other mechanisms are symmetric.
  ///   - interval: The distance between the losses of the grid, above 0.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, also if the grid would need more than
  ///   ``largestGrid`` losses.
  public init(
    of mechanism: PrivacyMechanism,
    removing: Bool = true,
    interval: Double
  ) throws {
    guard interval > 0, interval.isFinite else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the interval between losses must be above 0 and finite, not \(interval)"
      )
    }
    let kind = try Self.kind(of: mechanism, removing: removing)
    let range = kind.range
    guard range.upperBound.isFinite, range.lowerBound.isFinite else {
      self.init(certainLoss: .infinity, interval: interval)
      return
    }
    guard Self.fits(range, interval: interval) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          losses of \(range.lowerBound)...\(range.upperBound) at intervals of \(interval) are too many or too \
          large for a grid of \(Self.largestGrid)
          """
      )
    }
    var grid = LossGrid(covering: range, interval: interval)
    switch kind {
    case .atoms(let atoms):
      for atom in atoms { grid.add(atom.probability, at: atom.loss) }
      self = grid.distribution(infiniteProbability: 0)
    case .laplace(let loss):
      for atom in loss.atoms { grid.add(atom.probability, at: atom.loss) }
      grid.add(loss)
      self = grid.distribution(infiniteProbability: 0)
    case .gaussian(let loss):
      grid.add(loss)
      self = grid.distribution(infiniteProbability: GaussianPrivacyLoss.tails)
    }
  }

  /// The finest grid, in doublings of the interval, that has few enough losses for this mechanism.
  static func coarsening(
    for mechanism: PrivacyMechanism,
    removing: Bool,
    interval: Double
  ) throws -> Double {
    let range = try kind(of: mechanism, removing: removing).range
    guard range.upperBound.isFinite, range.lowerBound.isFinite else { return interval }
    var interval = interval
    while !fits(range, interval: interval) { interval *= 2 }
    return interval
  }

  /// Whether losses are few enough for a grid, and not so many intervals from 0 that their place in a cell is lost.
  private static func fits(_ range: ClosedRange<Double>, interval: Double) -> Bool {
    let ends = (range.lowerBound / interval, range.upperBound / interval)
    return ends.1 - ends.0 + 3 <= Double(largestGrid) && max(abs(ends.0), abs(ends.1)) < 0x1p30
  }

  private enum Kind {
    case atoms([(loss: Double, probability: Double)])
    case laplace(LaplacePrivacyLoss)
    case gaussian(GaussianPrivacyLoss)

    var range: ClosedRange<Double> {
      switch self {
      case .atoms(let atoms):
        let losses = atoms.map(\.loss)
        return (losses.min() ?? 0)...(losses.max() ?? 0)
      case .laplace(let loss): return loss.losses
      case .gaussian(let loss): return loss.losses
      }
    }
  }

  private static func kind(of mechanism: PrivacyMechanism, removing: Bool) throws -> Kind {
    try mechanism.validate()
    switch mechanism {
    case .gaussian(let sigma):
      return .gaussian(GaussianPrivacyLoss(sigma: sigma, rate: 1, removing: removing))
    case .subsampledGaussian(_, let rate) where rate == 0:
      return .atoms([(0, 1)])
    case .subsampledGaussian(let sigma, let rate):
      return .gaussian(GaussianPrivacyLoss(sigma: sigma, rate: rate, removing: removing))
    case .laplace(let scale):
      return .laplace(LaplacePrivacyLoss(scale: scale))
    case .pure(let epsilon):
      // Randomised response is the worst of all ε-DP mechanisms (Kairouz, Oh & Viswanath, 2015).
      let likely = 1 / (1 + exp(-epsilon))
      return .atoms([(epsilon, likely), (-epsilon, 1 - likely)])
    case .gaussianWithoutReplacement, .concentrated:
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          the privacy loss of a sample without replacement, or of a concentrated mechanism, has no known \
          distribution; account for it with '\(AccountantKind.rdp.rawValue)'
          """
      )
    }
  }
}

/// Where probabilities are put on their way to a distribution.
private struct LossGrid {
  let interval: Double
  let lowest: Int
  var probabilities: [Double]
  /// `1 - exp(-interval)`.
  private let width: Double

  init(covering losses: ClosedRange<Double>, interval: Double) {
    self.interval = interval
    lowest = Int((losses.lowerBound / interval).rounded(.down))
    let highest = Int((losses.upperBound / interval).rounded(.down)) + 1
    probabilities = Array(repeating: 0, count: highest - lowest + 1)
    width = -expm1(-interval)
  }

  /// Shares a probability between the losses of the grid to both sides of its own.
  mutating func add(_ probability: Double, at loss: Double) {
    add(probability, at: loss, cell: Int((loss / interval).rounded(.down)) - lowest)
  }

  private mutating func add(_ probability: Double, at loss: Double, cell: Int) {
    let cell = min(max(cell, 0), probabilities.count - 2)
    // Rounding may have put the loss just outside its cell.
    let above = min(max(loss - Double(lowest + cell) * interval, 0), interval)
    let share = -expm1(-above) / width
    probabilities[cell + 1] += probability * share
    probabilities[cell] += probability * exp(-above) * (-expm1(above - interval) / width)
  }

  /// Integrates a density over each cell, in panels that are short beside the width of its features.
  mutating func add(_ density: some PrivacyLossDensity) {
    for domain in density.domains { add(density, within: domain) }
  }

  private mutating func add(_ density: some PrivacyLossDensity, within domain: ClosedRange<Double>)
  {
    var start = domain.lowerBound
    let first = Int((density.loss(at: start) / interval).rounded(.down)) - lowest
    for cell in min(max(first, 0), probabilities.count - 2)..<probabilities.count - 1 {
      guard start < domain.upperBound else { return }
      let upper = density.position(ofLoss: Double(lowest + cell + 1) * interval)
      let end =
        cell == probabilities.count - 2
        ? domain.upperBound : min(max(upper, start), domain.upperBound)
      guard end > start else { continue }
      let panels = max(1, ((end - start) / density.feature * 4).rounded(.up))
      let half = (end - start) / panels / 2
      let rule = half < density.feature / 50 ? Self.threePoints : Self.fivePoints
      for panel in 0..<Int(panels) {
        let middle = start + Double(2 * panel + 1) * half
        for (node, weight) in rule {
          let position = middle + half * node
          let loss = density.loss(at: position)
          add(weight * half * density.density(at: position, loss: loss), at: loss, cell: cell)
        }
      }
      start = end
    }
  }

  /// The distribution, with what rounding took away put back.
  func distribution(infiniteProbability: Double) -> PrivacyLossDistribution {
    let sum = probabilities.reduce(0, +)
    // So little noise that the density falls between two numbers.
    guard abs(sum - 1) < 1e-6 else {
      return PrivacyLossDistribution(certainLoss: .infinity, interval: interval)
    }
    let scale = (1 - infiniteProbability) / sum
    return PrivacyLossDistribution(
      interval: interval,
      lowest: lowest,
      probabilities: probabilities.map { $0 * scale },
      infiniteProbability: infiniteProbability
    )
  }

  /// Gauss–Legendre nodes in `-1...1` and their weights.
  private static let threePoints: [(node: Double, weight: Double)] = {
    let node = 0.6.squareRoot()
    return [(-node, 5.0 / 9), (0, 8.0 / 9), (node, 5.0 / 9)]
  }()

  private static let fivePoints: [(node: Double, weight: Double)] = {
    let root = 2 * (10.0 / 7).squareRoot()
    let inner = (5 - root).squareRoot() / 3
    let outer = (5 + root).squareRoot() / 3
    let innerWeight = (322 + 13 * 70.0.squareRoot()) / 900
    let outerWeight = (322 - 13 * 70.0.squareRoot()) / 900
    return [
      (-outer, outerWeight), (-inner, innerWeight), (0, 128.0 / 225), (inner, innerWeight),
      (outer, outerWeight),
    ]
  }()
}
