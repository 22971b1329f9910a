internal import TesseraCore

/// Which sites take part in a round.
public enum SiteSample {
  /// How many sites a fraction of them is: at least one.
  public static func count(of sites: Int, fraction: Double) -> Int {
    min(sites, max(1, Int((Double(sites) * min(max(fraction, 0), 1)).rounded())))
  }

  /// Refuses what is no share of the sites.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func check(_ fraction: Double) throws {
    guard fraction > 0, fraction <= 1 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the fraction of sites must be above 0 and at most 1, not \(fraction)"
      )
    }
  }

  /// So many different numbers below a limit, ascending, each choice being equally likely.
  ///
  /// Floyd's method: the work is that of the numbers drawn, not of all there are (Bentley and Floyd, 1987).
  static func draw(_ count: Int, below limit: Int, key: RandomKey) -> [Int] {
    var numbers = KeyedRandomNumbers(key: key)
    return draw(count, below: limit, using: &numbers)
  }

  /// So many different numbers below a limit, from a stream.
  static func draw(
    _ count: Int,
    below limit: Int,
    using numbers: inout some RandomNumberGenerator
  ) -> [Int] {
    guard count < limit else { return Array(0..<limit) }
    var chosen: Set<Int> = []
    for last in limit - count..<limit {
      let candidate = Int.random(in: 0...last, using: &numbers)
      chosen.insert(chosen.contains(candidate) ? last : candidate)
    }
    return chosen.sorted()
  }
}

extension Controller {
  /// A share of the sites, at least one, drawn by the round's key; ascending.
  public func sample(_ fraction: Double) -> [Site] {
    sample(count: SiteSample.count(of: sites.count, fraction: fraction))
  }

  /// So many sites, drawn by the round's key; ascending.
  public func sample(count: Int) -> [Site] {
    guard count < sites.count else { return sites }
    return SiteSample.draw(max(0, count), below: sites.count, key: key["sites"]).map { sites[$0] }
  }
}
