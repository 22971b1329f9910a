internal import Synchronization

/// Where a site keeps what it has released: its own, whatever jobs come and go.
///
/// No job and no server can reset it. What a job rolls back after a crash, its state and the site's memory, is elsewhere.
/// A site gives the same store to the workers of all its jobs.
public protocol PrivacyLedgerStore: Sendable {
  /// What a site has released, by its name.
  ///
  /// - Throws: If it cannot be read.
  func ledger(of site: String) throws -> SiteLedger

  /// Enters a release, one at a time; it is kept for good when this returns.
  ///
  /// - Parameters:
  ///   - release: Of a site. If the very same is in the ledger, nothing happens.
  ///   - examine: Is given the ledger as it is, and throws if the release must not be.
  /// - Returns: Whether it is new.
  /// - Throws: What `examine` throws, or if it cannot be kept; the ledger is then as before.
  @discardableResult
  func enter(
    _ release: SiteLedger.Release,
    examine: (SiteLedger) throws -> Void
  ) throws -> Bool
}

/// Ledgers that live as long as the process.
public final class VolatilePrivacyLedgers: PrivacyLedgerStore {
  private let ledgers = Mutex<[String: SiteLedger]>([:])

  /// Nothing released yet.
  public init() {}

  /// What a site has released.
  public func ledger(of site: String) -> SiteLedger {
    ledgers.withLock { $0[site] ?? SiteLedger(of: site) }
  }

  /// Enters a release.
  ///
  /// - Throws: What `examine` throws.
  @discardableResult
  public func enter(
    _ release: SiteLedger.Release,
    examine: (SiteLedger) throws -> Void
  ) throws -> Bool {
    try ledgers.withLock { ledgers in
      var ledger = ledgers[release.site] ?? SiteLedger(of: release.site)
      if ledger.releases.contains(release) { return false }
      try examine(ledger)
      ledger.add(release)
      ledgers[release.site] = ledger
      return true
    }
  }
}
