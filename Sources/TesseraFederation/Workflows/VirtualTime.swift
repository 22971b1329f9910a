internal import Foundation
internal import TesseraCore

/// How long sites take over a task in a simulation, in units of any length: what decides the order in which answers arrive.
///
/// The computation itself takes as long as it takes; only its place in the order is drawn.
public struct VirtualTime: Sendable {
  /// The distribution of a task's duration.
  public enum Distribution: Sendable, Hashable, Codable {
    /// Each task takes as long.
    case constant(Double)
    /// Between two durations, each being equally likely.
    case uniform(from: Double, to: Double)
    /// The magnitude of a normal variable of that deviation: Nguyen et al. found training times at phones to be like this.
    case halfNormal(deviation: Double)
    /// Exponential, of that mean.
    case exponential(mean: Double)
  }

  /// How long a task takes a site of speed 1.
  public var distribution: Distribution
  /// How many times faster than that a site is, by itself; above 0.
  public var speed: @Sendable (Site) -> Double

  /// Durations.
  public init(
    _ distribution: Distribution = .halfNormal(deviation: 1),
    speed: @escaping @Sendable (Site) -> Double = { _ in 1 }
  ) {
    self.distribution = distribution
    self.speed = speed
  }

  /// How long a task takes a site.
  func duration(at site: Site, key: RandomKey) -> Double {
    var numbers = KeyedRandomNumbers(key: key)
    func uniform() -> Double { Double.random(in: 0..<1, using: &numbers) }
    let duration =
      switch distribution {
      case .constant(let value): value
      case .uniform(let low, let high): low + (high - low) * uniform()
      case .exponential(let mean): -mean * log(1 - uniform())
      case .halfNormal(let deviation):
        // Box and Muller (1958).
        deviation * abs((-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform()))
      }
    return duration / speed(site)
  }

  /// Refuses durations that are not numbers of at least 0, and speeds that are not above 0.
  func check(for sites: [Site]) throws {
    let numbers: [Double] =
      switch distribution {
      case .constant(let value), .halfNormal(let value), .exponential(let value): [value]
      case .uniform(let low, let high): [low, high, high - low]
      }
    guard numbers.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the durations of tasks must be numbers of at least 0: \(distribution)"
      )
    }
    for site in sites {
      let speed = speed(site)
      guard speed > 0, speed.isFinite else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "the speed of \(site.name) must be a number above 0, not \(speed)"
        )
      }
    }
  }
}
