internal import Synchronization
public import SystemPackage
internal import TesseraRun

/// Ledgers in a file that only grows: each release is on the disk before the answer leaves.
///
///     let worker = SiteWorker(
///       executor: executor, budget: try PrivacyBudget(epsilon: 8, delta: 1e-6),
///       ledgers: try FilePrivacyLedgers(at: "/var/lib/site/privacy.jsonl"), job: "tumours-2")
///
/// The file is a `Journal` of ``SiteLedger/Release``s, of one site or of several: a line of JSON for each, with a checksum of all
/// before it. What a kill left half-written is cut off when it is opened again; nothing of it had been released.
public final class FilePrivacyLedgers: PrivacyLedgerStore {
  private let journal: Journal<SiteLedger.Release>
  private let ledgers: Mutex<[String: SiteLedger]>

  /// The ledgers in a file, which is made if it is not there.
  ///
  /// - Parameter path: In a folder that is there. No other process can open it meanwhile.
  /// - Throws: `RunError` naming file and line if it is damaged, in use, or cannot be made.
  public init(at path: FilePath) throws {
    var ledgers: [String: SiteLedger] = [:]
    journal = try Journal.open(at: path) { release in
      ledgers[release.site, default: SiteLedger(of: release.site)].add(release)
    }
    self.ledgers = Mutex(ledgers)
  }

  /// What a site has released.
  public func ledger(of site: String) -> SiteLedger {
    ledgers.withLock { $0[site] ?? SiteLedger(of: site) }
  }

  /// Enters a release, which is on the disk when this returns.
  ///
  /// - Throws: What `examine` throws; `RunError` if the disk refuses it.
  @discardableResult
  public func enter(
    _ release: SiteLedger.Release,
    examine: (SiteLedger) throws -> Void
  ) throws -> Bool {
    try ledgers.withLock { ledgers in
      var ledger = ledgers[release.site] ?? SiteLedger(of: release.site)
      if ledger.releases.contains(release) { return false }
      try examine(ledger)
      try journal.append(release)
      ledger.add(release)
      ledgers[release.site] = ledger
      return true
    }
  }
}
