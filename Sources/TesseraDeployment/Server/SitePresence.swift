internal import Foundation

/// Which sites are away, since when, and what those who follow jobs were told of it.
///
/// Without a clock: the time is said with each call.
struct SitePresence: Sendable {
  private let start: Date
  /// Sites that have been there since the server runs.
  private var known: Set<String> = []
  private var connected: Set<String> = []
  private var since: [String: Date] = [:]
  /// The sites of each job whose absence was told.
  private var told: [String: Set<String>] = [:]

  /// How long after a server's start its sites may take to find it before they count as away.
  static let grace: TimeInterval = 3

  /// - Parameter start: When the server began to listen.
  init(since start: Date) { self.start = start }

  /// Takes who is there now.
  mutating func note(connected now: Set<String>, at time: Date) {
    for site in connected.subtracting(now) { since[site] = time }
    for site in now { since[site] = nil }
    known.formUnion(now)
    connected = now
  }

  /// Those of some sites that are not there, in their order.
  func away(among sites: [String]) -> [JobEvent.AwaySite] {
    sites.filter { !connected.contains($0) }
      .map { JobEvent.AwaySite(site: $0, since: since[$0] ?? start) }
  }

  /// What is to be told of a job's sites that was not told.
  mutating func changes(
    of job: String,
    _ sites: [String],
    at time: Date
  ) -> (left: [JobEvent.AwaySite], returned: [String]) {
    let isEarly = time.timeIntervalSince(start) < Self.grace
    let away = away(among: sites).filter { known.contains($0.site) || !isEarly }
    let names = Set(away.map(\.site))
    let before = told[job] ?? []
    told[job] = names
    return (
      away.filter { !before.contains($0.site) },
      before.subtracting(names).intersection(connected).sorted()
    )
  }

  /// A job is over.
  mutating func forget(_ job: String) { told[job] = nil }
}
