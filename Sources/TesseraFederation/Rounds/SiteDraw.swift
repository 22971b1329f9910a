/// The sites of a round, and how they were drawn: what an accountant may assume.
public struct SiteDraw: Sendable {
  /// How sites are drawn.
  public enum Method: String, Sendable, Hashable, Codable, CaseIterable {
    /// A fixed number of them, by the run's key: anybody can know who takes part, so nothing is taken off the account.
    case fixed
    /// Each for itself with the same probability, from the server's secrets: a Poisson sample.
    case poisson
    /// A fixed number of them, all choices being equally likely, from the server's secrets.
    case withoutReplacement = "without-replacement"
  }

  /// Who was drawn, ascending.
  public var sites: [Site]
  /// How.
  public var method: Method
  /// The probability of each site; the share of the sites where their number is fixed.
  public var rate: Double
  /// How many sites there are to draw from.
  public var population: Int

  /// Sites that were drawn.
  public init(_ sites: [Site], by method: Method = .fixed, rate: Double, population: Int) {
    self.sites = sites
    self.method = method
    self.rate = rate
    self.population = population
  }

  /// A draw that is not made yet: for plans.
  static func planned(by method: Method, fraction: Double, of population: Int) -> SiteDraw {
    let count = SiteSample.count(of: population, fraction: fraction)
    let rate = method == .poisson ? fraction : Double(count) / Double(max(population, 1))
    return SiteDraw([], by: method, rate: rate, population: population)
  }

  /// What sums over a secret draw are divided by: the expected number of sites; `nil` if who takes part is known.
  var divisor: Double? { method == .fixed ? nil : rate * Double(population) }
}

extension Controller {
  /// Draws a share of the sites.
  ///
  /// - Parameters:
  ///   - fraction: The share, above 0 and at most 1; of a Poisson sample, the probability of each site.
  ///   - method: How they are drawn. By ``SiteDraw/Method/poisson`` there may be none.
  /// - Returns: The sites, and how they were drawn.
  public func draw(_ fraction: Double, by method: SiteDraw.Method) -> SiteDraw {
    var draw = SiteDraw.planned(by: method, fraction: fraction, of: sites.count)
    guard method != .fixed else {
      draw.sites = sample(fraction)
      return draw
    }
    var numbers = federation.secrets.derived("sites").numbers("round \(round)")
    switch method {
    case .fixed: break
    case .poisson:
      draw.sites = sites.filter { _ in Double.random(in: 0..<1, using: &numbers) < fraction }
    case .withoutReplacement:
      let count = SiteSample.count(of: sites.count, fraction: fraction)
      draw.sites = SiteSample.draw(count, below: sites.count, using: &numbers).map { sites[$0] }
    }
    return draw
  }
}
