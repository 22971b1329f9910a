public import TesseraCore

/// Who shares secrets and masks with whom: everybody with all, or with a few at random (Bell et al., 2020, section 3).
///
/// The few are a Harary graph over a random order of the sites: each is joined to the `degree / 2` before and after it on
/// a circle. It stays connected unless `degree / 2` sites in a row are missing at two places.
public struct NeighbourGraph: Sendable, Hashable {
  /// The sites, ascending.
  public let sites: [Int]
  /// How many neighbours each site has.
  public let degree: Int
  private let neighbourLists: [Int: [Int]]

  /// A graph over some sites.
  ///
  /// - Parameters:
  ///   - sites: Different numbers.
  ///   - degree: Even and at least 2; from `sites.count − 1` on, every site is every other's neighbour.
  ///   - key: Draws the order of the sites.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(sites: [Int], degree: Int, key: RandomKey) throws {
    let count = sites.count
    guard count >= 2, Set(sites).count == count else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a graph of neighbours needs at least 2 sites, none of them twice"
      )
    }
    self.sites = sites.sorted()
    guard degree < count - 1 else {
      self.degree = count - 1
      let all = self.sites
      neighbourLists = Dictionary(
        uniqueKeysWithValues: all.map { site in (site, all.filter { $0 != site }) }
      )
      return
    }
    guard degree >= 2, degree.isMultiple(of: 2) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the degree must be even and at least 2, not \(degree)"
      )
    }
    self.degree = degree
    var numbers = KeyedRandomNumbers(key: key)
    let order = self.sites.shuffled(using: &numbers)
    neighbourLists = Dictionary(
      uniqueKeysWithValues: order.indices.map { place in
        let near = (1...degree / 2).flatMap { [place + $0, place + count - $0] }
        return (order[place], near.map { order[$0 % count] }.sorted())
      }
    )
  }

  /// The neighbours of a site, ascending; none if it is not in the graph.
  public func neighbours(of site: Int) -> [Int] { neighbourLists[site] ?? [] }

  /// Whether paths through some of the sites join each of them to every other.
  public func isConnected(among remaining: Set<Int>) -> Bool {
    guard let first = remaining.first else { return false }
    var unseen = remaining
    unseen.remove(first)
    var frontier = [first]
    while let site = frontier.popLast() {
      for neighbour in neighbours(of: site) where unseen.remove(neighbour) != nil {
        frontier.append(neighbour)
      }
    }
    return unseen.isEmpty
  }
}
