public import TesseraCore

/// A way to divide a data set among sites.
public protocol Partition: Sendable {
  /// The positions that each site gets, in ascending order. Every position goes to exactly one site.
  ///
  /// - Parameters:
  ///   - labels: The class of each example.
  ///   - sites: How many sites there are.
  ///   - key: Draws what is drawn; the same key divides in the same way.
  /// - Returns: One list for each site.
  /// - Throws: ``DataError`` with code ``DataError/Code/invalidArgument`` if the data cannot be divided so.
  func indices(labels: [Int], sites: Int, key: RandomKey) throws -> [[Int]]
}

extension Partition {
  /// Refuses numbers of sites that no division can serve.
  func check(sites: Int, examples: Int, minimumPerSite: Int = 1) throws {
    guard sites >= 1 else {
      throw DataError(
        code: .invalidArgument,
        message: "there must be at least 1 site, not \(sites)"
      )
    }
    // Divided, so that no product can overflow.
    guard examples / sites >= minimumPerSite else {
      throw DataError(
        code: .invalidArgument,
        message: "\(examples) examples are too few for \(sites) sites with \(minimumPerSite) each"
      )
    }
  }

  /// Refuses concentrations that no distribution has.
  func check(alpha: Double) throws {
    guard alpha > 0, alpha.isFinite else {
      throw DataError(
        code: .invalidArgument,
        message: "alpha must be a number above 0, not \(alpha)"
      )
    }
  }

  /// Gives small sites drawn examples of the largest ones, for concentrations so low that chance does not reach the minimum.
  func fill(_ parts: inout [[Int]], to minimum: Int, _ numbers: inout KeyedRandomNumbers) {
    guard parts.contains(where: { $0.count < minimum }) else { return }
    func surplus(above size: Int) -> Int { parts.reduce(0) { $0 + max(0, $1.count - size) } }
    var missing = parts.reduce(0) { $0 + max(0, minimum - $1.count) }
    // The greatest size down to which the larger sites must give.
    var sizes = minimum..<max(minimum, parts.map(\.count).max() ?? 0) + 1
    while sizes.count > 1 {
      let middle = sizes.lowerBound + sizes.count / 2
      sizes =
        surplus(above: middle) >= missing ? middle..<sizes.upperBound : sizes.lowerBound..<middle
    }
    var given: [Int] = []
    for site in parts.indices where parts[site].count > sizes.lowerBound {
      let share = min(parts[site].count - sizes.lowerBound, missing)
      // Drawn: the last ones would all be of one class.
      parts[site].shuffle(using: &numbers)
      given += parts[site].suffix(share)
      parts[site].removeLast(share)
      missing -= share
    }
    given.shuffle(using: &numbers)
    for site in parts.indices where parts[site].count < minimum {
      let share = min(minimum - parts[site].count, given.count)
      parts[site] += given.suffix(share)
      given.removeLast(share)
    }
  }
}
