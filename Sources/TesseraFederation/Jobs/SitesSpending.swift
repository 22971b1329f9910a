internal import Synchronization
internal import TesseraCore

/// What the sites of a job have spent of their privacy budgets, as its record says it.
final class SitesSpending: Sendable {
  /// Of more sites nobody looks at each: the record has the one that has spent most.
  static let shownSites = 1000

  private let sites: [Site]
  private let ledgers: any PrivacyLedgerStore
  private let budget: PrivacyBudget
  /// What was found of a site, which holds as long as its ledger has no more releases: counting is dear.
  private let known = Mutex<[String: (releases: Int, epsilon: Double)]>([:])

  /// The spending of some sites.
  ///
  /// - Parameters:
  ///   - sites: All sites of the job.
  ///   - ledgers: What they have released.
  ///   - budget: The δ, and who counts.
  init(_ sites: [Site], ledgers: any PrivacyLedgerStore, budget: PrivacyBudget) {
    self.sites = sites
    self.ledgers = ledgers
    self.budget = budget
  }

  /// The ε by now of each site that has released anything, by name; of more than ``shownSites`` sites, the greatest alone, which
  /// is that of the first site that has spent so much.
  ///
  /// - Throws: What the ledgers and their accountant throw.
  func epsilon() throws -> [String: Double] {
    var spent: [String: Double] = [:]
    var most: (site: String, epsilon: Double)?
    for site in sites {
      guard let epsilon = try epsilon(of: site.name) else { continue }
      if sites.count <= Self.shownSites { spent[site.name] = epsilon }
      if epsilon > most?.epsilon ?? -.infinity { most = (site.name, epsilon) }
    }
    if sites.count > Self.shownSites, let most { spent[most.site] = most.epsilon }
    return spent
  }

  private func epsilon(of site: String) throws -> Double? {
    let ledger = try ledgers.ledger(of: site)
    let count = ledger.releases.count
    guard count > 0 else { return nil }
    if let found = known.withLock({ $0[site] }), found.releases == count { return found.epsilon }
    let epsilon = try ledger.spent(under: budget)
    known.withLock { $0[site] = (count, epsilon) }
    return epsilon
  }
}
