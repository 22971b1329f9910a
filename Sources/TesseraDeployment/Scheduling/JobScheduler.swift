internal import TesseraConfiguration

/// Says which jobs start now, and at which sites.
///
///     for decision in JobScheduler.decide(jobs: try store.jobs(), sites: sites) {
///       switch decision.verdict { … }
///     }
///
/// Jobs are looked at in the order in which they arrived. A job starts when its mandatory sites, and as many as it needs at
/// least, are connected, not disabled, and have room; all sites that it is for and that have room then take part. A job that
/// declares no resources takes none.
///
/// No job waits for ever behind others: one that waits for nothing but room, at sites that are there, keeps its share of each
/// of its sites to itself. What becomes free there is its before it is anybody's who came later, so it starts at the latest
/// when what runs now is over. Later jobs pass it where they need nothing that it waits for. A job that waits for a site to
/// connect, or to be enabled, keeps nothing, since nobody knows how long that takes; it has its place again once the site is
/// there.
public struct JobScheduler {
  /// What a site has left.
  private struct Room {
    /// For the job that is looked at: without what earlier jobs keep to themselves.
    var open: Resources
    /// With it.
    var idle: Resources
    /// Whether an earlier job keeps something here.
    var isKept = false
  }

  private let sites: [ScheduledSite]
  private let names: Set<String>
  private let refusals: [String: [String: String]]
  private var rooms: [String: Room]

  /// Decides on all jobs that are approved.
  ///
  /// - Parameters:
  ///   - jobs: All jobs of the server, in the order in which they arrived. Those that are dispatched or running hold what they
  ///     declare at each of their sites.
  ///   - sites: All sites of the federation, connected or not.
  ///   - refusals: Why sites do not want a job: by the jobs' ids, then by the sites' names.
  /// - Returns: A decision on each job that is approved, in their order.
  public static func decide(
    jobs: [JobRecord],
    sites: [ScheduledSite],
    refusals: [String: [String: String]] = [:]
  ) -> [JobDecision] {
    var scheduler = JobScheduler(jobs, sites, refusals)
    return jobs.filter { $0.state == .approved }.map { job in
      JobDecision(job: job.id, verdict: scheduler.decide(job))
    }
  }

  private init(
    _ jobs: [JobRecord],
    _ sites: [ScheduledSite],
    _ refusals: [String: [String: String]]
  ) {
    self.sites = sites
    self.refusals = refusals
    names = Set(sites.map(\.name))
    rooms = [:]
    for site in sites {
      let all = site.resources ?? Resources()
      rooms[site.name] = Room(open: all, idle: all)
    }
    for job in jobs where job.state == .dispatched || job.state == .running {
      for site in job.sites { take(job.requirements.resources.held, at: site.name) }
    }
  }

  private mutating func decide(_ job: JobRecord) -> JobDecision.Verdict {
    let need = job.requirements.resources.held
    let mandatory = job.requirements.mandatorySites
    let minimum = max(1, job.requirements.minimumSites)
    if let reason = whyNever(job, need, minimum) { return .abandon(reason: reason) }
    let able = candidates(of: job).filter { $0.resources?.hasRoom(for: need) ?? true }
    func areEnough(_ chosen: [ScheduledSite]) -> Bool {
      chosen.count >= minimum && mandatory.isSubset(of: chosen.map(\.name))
    }
    var blocked: [(site: ScheduledSite, why: String)] = []
    let ready = able.filter { site in
      guard let why = obstacle(at: site, need) else { return true }
      blocked.append((site, why))
      return false
    }
    if areEnough(ready) {
      for site in ready { take(need, at: site.name) }
      return .start(sites: ready.map(\.name))
    }
    let present = able.filter {
      $0.isConnected && !$0.isDisabled && ($0.resources != nil || need == Resources())
    }
    if areEnough(present), need != Resources() {
      for site in present { keep(need, at: site.name) }
    }
    return .wait(reason: reason(for: blocked, missing: minimum - ready.count, mandatory))
  }

  /// The sites that a job is for, but for those that do not want it.
  private func candidates(of job: JobRecord) -> [ScheduledSite] {
    sites.filter {
      job.requirements.sites?.contains($0.name) ?? true && refusals[job.id]?[$0.name] == nil
    }
  }

  /// Why a job cannot take part at a site now, after the site's name; `nil` if it can.
  private func obstacle(at site: ScheduledSite, _ need: Resources) -> String? {
    guard site.isConnected else { return "is not connected" }
    guard !site.isDisabled else { return "is disabled" }
    if need == Resources() { return nil }
    guard let all = site.resources, let room = rooms[site.name] else {
      return "has not said what it has"
    }
    guard let shortage = room.open.shortage(of: need).first else { return nil }
    // Which job that is, not everybody may know.
    if room.idle.hasRoom(for: need), room.isKept {
      return "keeps what is free there for a job that came earlier"
    }
    // What is kept for others is not free, but it is not in use either.
    let free = room.idle.shortage(of: need).first ?? shortage
    return "has \(free.words(of: all[free.kind]))"
  }

  private mutating func take(_ need: Resources, at site: String) {
    guard let room = rooms[site] else { return }
    rooms[site]?.open = room.open.without(need)
    rooms[site]?.idle = room.idle.without(need)
  }

  private mutating func keep(_ need: Resources, at site: String) {
    guard let room = rooms[site] else { return }
    rooms[site]?.open = room.open.without(need)
    rooms[site]?.isKept = true
  }
}

// What is said to people.
extension JobScheduler {
  /// Why a job waits.
  private func reason(
    for blocked: [(site: ScheduledSite, why: String)],
    missing: Int,
    _ mandatory: Set<String>
  ) -> String {
    let (needed, others) = (
      blocked.filter { mandatory.contains($0.site.name) },
      blocked.filter { !mandatory.contains($0.site.name) }
    )
    let all = needed.map { "\($0.site.name) (mandatory) \($0.why)" }
    guard missing > 0 else {
      return "waits for its mandatory \(needed.count == 1 ? "site" : "sites"): \(list(all))"
    }
    let rest = others.map { "\($0.site.name) \($0.why)" }
    return "waits for \(missing) more \(missing == 1 ? "site" : "sites"): \(list(all + rest))"
  }

  /// Why a job can never run, if it cannot.
  private func whyNever(_ job: JobRecord, _ need: Resources, _ minimum: Int) -> String? {
    let deployed = job.requirements.sites
    for name in job.requirements.mandatorySites.sorted() {
      let start = "\(name), which is mandatory,"
      guard names.contains(name) else {
        return "\(start) is no site of the federation\(hint(for: name, among: Array(names)))"
      }
      guard deployed?.contains(name) ?? true else {
        return "\(start) is not among the sites that the job is for"
      }
      if let why = whyNever(at: name, job, need) { return "\(start) \(why)" }
    }
    let unable = (deployed ?? names).sorted().compactMap { name -> String? in
      guard names.contains(name) else { return "\(name) is no site of the federation" }
      return whyNever(at: name, job, need).map { "\(name) \($0)" }
    }
    let able = (deployed ?? names).count - unable.count
    guard able < minimum else { return nil }
    let start = "needs \(minimum) \(minimum == 1 ? "site" : "sites"), and there can be \(able)"
    return unable.isEmpty ? "\(start) at most" : "\(start): \(list(unable))"
  }

  /// Why a job can never run at a site of the federation, after the site's name, if it cannot.
  private func whyNever(at name: String, _ job: JobRecord, _ need: Resources) -> String? {
    if let refusal = refusals[job.id]?[name] { return "refused it: \(refusal)" }
    let site = sites.first { $0.name == name }
    return site?.resources?.shortage(of: need).first.map { "has \($0.wordsInAll)" }
  }

  /// Of hundreds of sites nobody reads the reasons.
  private func list(_ reasons: [String]) -> String {
    let shown = reasons.prefix(5).joined(separator: ", ")
    return reasons.count > 5 ? "\(shown), and \(reasons.count - 5) more" : shown
  }
}
