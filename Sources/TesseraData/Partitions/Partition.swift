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

  /// Gives small sites examples of the largest one, for concentrations so low that chance does not reach the minimum.
  func fill(_ parts: inout [[Int]], to minimum: Int) {
    while let poor = parts.indices.first(where: { parts[$0].count < minimum }),
      let rich = parts.indices.max(by: { parts[$0].count < parts[$1].count }),
      parts[rich].count > minimum
    {
      parts[poor].append(parts[rich].removeLast())
    }
  }
}
