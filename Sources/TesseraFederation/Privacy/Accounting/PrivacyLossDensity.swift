internal import Foundation

/// A privacy loss that rises along a line, and how likely each point of the line is.
protocol PrivacyLossDensity {
  /// The parts of the line that are not negligible, from left to right.
  var domains: [ClosedRange<Double>] { get }
  /// Over which length the density changes.
  var feature: Double { get }
  /// The privacy loss at a point; never falls from left to right.
  func loss(at position: Double) -> Double
  /// Where the loss is this large; infinite if nowhere.
  func position(ofLoss loss: Double) -> Double
  /// The density of *P* at a point whose loss is known.
  func density(at position: Double, loss: Double) -> Double
}

extension PrivacyLossDensity {
  /// The losses of the domains.
  var losses: ClosedRange<Double> {
    let ends = domains.flatMap { [loss(at: $0.lowerBound), loss(at: $0.upperBound)] }
    return (ends.min() ?? 0)...(ends.max() ?? 0)
  }
}

/// The loss of a Gaussian on a Poisson sample, in units of its standard deviation σ.
///
/// With the record the release is `(1-q)·N(0, σ²) + q·N(1, σ²)`, without it `N(0, σ²)`, so at `x = σz` the loss
/// of removing it is `log(1 - q + q·exp(z/σ - 1/(2σ²)))`, and that of adding it the negative of that.
struct GaussianPrivacyLoss: PrivacyLossDensity {
  /// Beyond how many standard deviations nothing is looked at.
  private static let reach = 10.0
  /// The probability there, to both sides: 2·Φ(-10), rounded up.
  static let tails = 1.6e-23

  private let shift: Double
  private let rate: Double
  private let removing: Bool

  init(sigma: Double, rate: Double, removing: Bool) {
    // So far out, every loss is beyond all grids; further, they would not be numbers.
    shift = min(1 / sigma, 1e150)
    self.rate = rate
    self.removing = removing
  }

  /// Runs against z where the record is added, so that losses rise.
  var domains: [ClosedRange<Double>] {
    let without = -Self.reach...Self.reach
    let with = shift - Self.reach...shift + Self.reach
    if !removing { return [without] }
    if rate == 1 { return [with] }
    // With little noise there is nothing for a long way between.
    return without.overlaps(with) ? [without.lowerBound...with.upperBound] : [without, with]
  }

  var feature: Double { 1 }

  func loss(at position: Double) -> Double {
    let exponent = shift * ((removing ? position : -position) - shift / 2)
    let ratio: Double
    if rate == 1 {
      ratio = exponent
    } else if exponent > 600 {
      ratio = exponent + log(rate)
    } else {
      ratio = log1p(rate * expm1(exponent))
    }
    return removing ? ratio : -ratio
  }

  func position(ofLoss loss: Double) -> Double {
    let ratio = removing ? loss : -loss
    let exponent: Double
    if rate == 1 {
      exponent = ratio
    } else if ratio > 600 {
      exponent = ratio - log(rate)
    } else {
      let odds = expm1(ratio) + rate
      exponent = odds > 0 ? log(odds / rate) : -.infinity
    }
    let z = exponent / shift + shift / 2
    return removing ? z : -z
  }

  func density(at position: Double, loss: Double) -> Double {
    exp((removing ? loss : 0) - position * position / 2) / (2 * Double.pi).squareRoot()
  }
}

/// The loss of Laplace noise of scale *b* beside a sensitivity of 1: `(|x-1| - |x|) / b`, uniform steps between two atoms.
///
/// The line is that of the losses themselves. Between `-1/b` and `1/b` their density is `exp((ℓ - 1/b) / 2) / 4`.
struct LaplacePrivacyLoss: PrivacyLossDensity {
  private let largest: Double

  init(scale: Double) { largest = 1 / scale }

  /// What the two ends have beyond the density: the noise on either side of both answers.
  var atoms: [(loss: Double, probability: Double)] {
    [(largest, 0.5), (-largest, exp(-largest) / 2)]
  }

  var domains: [ClosedRange<Double>] { [-largest...largest] }
  var feature: Double { 1 }
  func loss(at position: Double) -> Double { position }
  func position(ofLoss loss: Double) -> Double { loss }
  func density(at position: Double, loss: Double) -> Double { exp((loss - largest) / 2) / 4 }
}
