internal import Synchronization

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
  public internal(set) var sites: [Site]
  /// How.
  public let method: Method
  /// The probability of each site; the share of the sites where their number is fixed.
  public let rate: Double
  /// How many sites there are to draw from.
  public let population: Int
  /// In which round it was made, and as which of the round's draws; `nil` if it was not a controller that drew.
  var origin: Origin?

  /// What tells draws of one run apart.
  struct Origin: Sendable, Hashable {
    /// From 1.
    var round: Int
    /// From 1 in each round.
    var number: Int
  }

  /// Sites that were drawn.
  ///
  /// It can be gathered from if everybody may know who was drawn; a secret draw is ``Controller/draw(_:by:)``'s.
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
  /// Each secret draw of a round is one of its own, and is for one gathering in this round: what is taken off an account for a
  /// draw holds for one release. By ``SiteDraw/Method/fixed`` the sites are the same each time in a round.
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
    let number = record.withLock { record in
      record.draws += 1
      return record.draws
    }
    draw.origin = SiteDraw.Origin(round: round, number: number)
    var numbers = federation.secrets.derived("sites").numbers("round \(round), draw \(number)")
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

  /// Notes that a draw is gathered from.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it is a secret one of another round,
  ///   or was gathered from before.
  func use(_ draw: SiteDraw, for task: TaskName) throws {
    guard draw.method != .fixed else { return }
    let isNew = record.withLock { record in
      guard let origin = draw.origin, origin.round == round else { return false }
      return record.usedDraws.insert(origin.number).inserted
    }
    guard isNew else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          round \(round), task '\(task)': a draw of sites by '\(draw.method.rawValue)' is for one gathering in the \
          round in which the controller made it: draw anew
          """
      )
    }
  }
}
