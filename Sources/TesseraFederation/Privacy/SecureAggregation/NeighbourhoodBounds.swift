internal import Foundation

/// How many neighbours a site needs, and how many of them must help to unmask, so that a round is private and succeeds.
///
/// After Bell et al. (2020, section 3): with neighbours drawn at random, the corrupt and the missing among them are
/// hypergeometric, and the smallest even degree is taken for which, by a union bound over the sites,
///
/// - nobody's secrets can be had by corrupt neighbours, even if the server tells half of the honest neighbours that the
///   site survived and the other half that it did not (`2 · threshold > degree + 1 + corrupt neighbours`),
/// - the honest survivors stay connected, so that only the sum over all of them can be had,
///
/// but with probability `2^-securityBits`, and, but with probability `2^-correctnessBits`, everybody has `threshold`
/// surviving neighbours. Where that degree is more than half of the others, all are neighbours: nothing is left to chance
/// then, and more may drop out.
public struct NeighbourhoodBounds: Sendable, Hashable, Codable {
  /// The largest share of the sites that may work together with the server, in `0..<1`.
  public var corruptFraction: Double
  /// The largest share of the sites that may drop out, in `0..<1`.
  public var dropoutFraction: Double
  /// The negative logarithm to base 2 of the probability that privacy fails.
  public var securityBits: Double
  /// The negative logarithm to base 2 of the probability that a round fails with no more drop-outs than assumed.
  public var correctnessBits: Double

  /// Assumptions about the sites.
  public init(
    corruptFraction: Double = 0.05,
    dropoutFraction: Double = 0.1,
    securityBits: Double = 40,
    correctnessBits: Double = 20
  ) {
    self.corruptFraction = corruptFraction
    self.dropoutFraction = dropoutFraction
    self.securityBits = securityBits
    self.correctnessBits = correctnessBits
  }

  /// The degree of the graph, and how many shares give a secret back.
  public struct Neighbourhood: Sendable, Hashable {
    /// How many neighbours a site has: an even number, or all others.
    public var degree: Int
    /// How many of a site and its neighbours give a secret back.
    public var threshold: Int
  }

  /// How many of some sites may drop out.
  ///
  /// None if the fraction is outside what is allowed.
  public func dropouts(of sites: Int) -> Int { Int(Self.share(dropoutFraction, of: sites)) }

  /// How many of some sites may work together with the server; rounded up, unless nobody is assumed to.
  ///
  /// None if the fraction is outside what is allowed.
  public func corrupt(of sites: Int) -> Int {
    Int(Self.share(corruptFraction, of: sites).rounded(.up))
  }

  private static func share(_ fraction: Double, of sites: Int) -> Double {
    (0..<1).contains(fraction) ? fraction * Double(max(sites, 0)) : 0
  }

  /// The smallest neighbourhood that will do.
  ///
  /// - Parameter sites: How many sites there are, at least 2.
  /// - Returns: The degree, and the largest threshold that survivors reach.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the assumptions are outside
  ///   what is allowed, or no neighbourhood, not even the complete one, satisfies them.
  public func neighbourhood(of sites: Int) throws -> Neighbourhood {
    let fractions = 0..<1.0
    let bits = 1...256.0
    guard fractions.contains(corruptFraction), fractions.contains(dropoutFraction),
      bits.contains(securityBits), bits.contains(correctnessBits)
    else {
      throw invalid("fractions must be in 0..<1, and bits of security and correctness in 1...256")
    }
    guard SecureAggregationConfiguration.Limits.sites.contains(sites) else {
      throw invalid(
        "there must be \(SecureAggregationConfiguration.Limits.sites) sites, not \(sites)"
      )
    }
    if let regular = regular(of: sites) { return regular }
    return try complete(of: sites)
  }

  private func regular(of sites: Int) -> Neighbourhood? {
    // Where chance decides, one of each is always reckoned with.
    let corrupt = max(1, Int((corruptFraction * Double(sites)).rounded(.up)))
    let missing = max(1, Int((dropoutFraction * Double(sites)).rounded(.up)))
    let factorials = LogFactorials(through: sites)
    let others = sites - 1
    let logSites = log(Double(sites))
    let insecure = -securityBits * log(2) - logSites
    let incorrect = -correctnessBits * log(2) - logSites
    let removed = Double(corrupt + missing) / Double(sites)
    guard removed < 1 else { return nil }
    let largest = min(others / 2, ShamirSharing.largestCount - 1)
    for degree in stride(from: 2, through: largest, by: 2) {
      guard Double(degree / 2) * log(removed) <= insecure else { continue }
      let threshold = factorials.largestThreshold(
        degree: degree,
        successes: max(others - missing, 0),
        population: others,
        logProbability: incorrect
      )
      guard threshold >= 1, 2 * threshold > degree + 1,
        factorials.upperTail(
          from: 2 * threshold - degree - 1,
          draws: degree,
          successes: corrupt,
          population: others
        ) <= insecure
      else { continue }
      return Neighbourhood(degree: degree, threshold: threshold)
    }
    return nil
  }

  private func complete(of sites: Int) throws -> Neighbourhood {
    let corrupt = Int(corruptFraction * Double(sites))
    let missing = dropouts(of: sites)
    let others = sites - 1
    let threshold = (sites + corrupt) / 2 + 1
    guard threshold <= sites - missing, others < ShamirSharing.largestCount else {
      throw invalid(
        """
        of \(sites) sites, \(corrupt) may be corrupt and \(missing) may drop out: no threshold is \
        both above \((sites + corrupt) / 2) and at most \(sites - missing)
        """
      )
    }
    return Neighbourhood(degree: others, threshold: threshold)
  }

  private func invalid(_ message: String) -> FederationError {
    FederationError(code: .invalidConfiguration, message: message)
  }
}

/// Tails of the hypergeometric distribution, in natural logarithms.
private struct LogFactorials {
  private let values: [Double]

  init(through last: Int) {
    var values = [0.0]
    for number in 1...last { values.append(values[number - 1] + log(Double(number))) }
    self.values = values
  }

  private func choose(_ n: Int, _ k: Int) -> Double {
    (0...n).contains(k) ? values[n] - values[k] - values[n - k] : -.infinity
  }

  private func density(_ hits: Int, draws: Int, successes: Int, population: Int) -> Double {
    choose(successes, hits) + choose(population - successes, draws - hits)
      - choose(population, draws)
  }

  /// The logarithm of the probability of at least so many hits.
  func upperTail(from hits: Int, draws: Int, successes: Int, population: Int) -> Double {
    guard hits > 0 else { return 0 }
    return (min(hits, draws + 1)..<(draws + 1)).reduce(-Double.infinity) {
      added($0, density($1, draws: draws, successes: successes, population: population))
    }
  }

  /// The most hits that are missed with at most the given probability.
  func largestThreshold(
    degree: Int,
    successes: Int,
    population: Int,
    logProbability: Double
  ) -> Int {
    var tail = -Double.infinity
    for hits in 0...degree {
      tail = added(
        tail,
        density(hits, draws: degree, successes: successes, population: population)
      )
      if tail > logProbability { return hits }
    }
    return degree
  }

  private func added(_ a: Double, _ b: Double) -> Double {
    let (low, high) = a < b ? (a, b) : (b, a)
    return low == -.infinity ? high : high + log1p(exp(low - high))
  }
}
