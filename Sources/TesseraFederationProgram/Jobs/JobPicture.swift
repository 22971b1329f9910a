internal import Foundation
internal import TesseraDeployment
internal import TesseraRun

/// What somebody who watches a job has in view: of the job, and of each site in the round that goes on.
struct JobPicture: Sendable {
  private enum Part: Sendable {
    case working
    case answered
    case refused
  }

  /// The job, as it was told last.
  private(set) var job: JobRecord?
  private var round = 0
  private var rounds = 0
  private var task = ""
  /// The sites of the round, in the order in which they were asked first.
  private var order: [String] = []
  private var parts: [String: Part] = [:]
  private var measured: [String: JobEvent.SiteMeasurement] = [:]
  private var away: [String: Date] = [:]
  private var transfers: [JobEvent.Transfer] = []
  private var seconds: [Double] = []
  private var isLost = false

  /// How many sites are named one by one.
  private static let named = 8

  /// Takes what has happened.
  ///
  /// - Returns: What is to stay on the screen.
  mutating func lines(for news: JobNews) -> [String] {
    if case .transferring(let transfers) = news.event {
      self.transfers = transfers
      return []
    }
    transfers = []
    switch news.event {
    case .changed(let next):
      let before = job
      job = next
      guard next.state != before?.state else { return [] }
      let reason = next.state.reason.map { ": \($0)" } ?? ""
      let sites = next.state == .running ? " at \(Self.list(next.sites.map(\.name)))" : ""
      return ["\(next.id) is \(next.state.name)\(sites)\(reason)"]
    case .waiting(let reason, let away):
      return ["it \(reason)"]
        + away.map { "  \($0.site) is away since \(Self.clock($0.since))" }.prefix(Self.named)
    case .declined(let site, let reason): return ["\(site) does not take part: \(reason)"]
    case .asked(let task, let round, let sites):
      begin(task, round, sites)
      return []
    case .measured(let measurement):
      if measurement.round == round { measured[measurement.site] = measurement }
      return []
    case .answered(let site, _):
      parts[site] = .answered
      return []
    case .refused(let site, let reason):
      parts[site] = .refused
      return ["\(site) was refused: \(reason)"]
    case .away(let site):
      away[site.site] = site.since
      return ["\(site.site) is away since \(Self.clock(site.since)): its tasks wait for it"]
    case .returned(let site):
      away[site] = nil
      return ["\(site) is there again"]
    case .roundFinished(let done):
      rounds = done.rounds
      seconds.append(done.seconds)
      measured = [:]
      return [JobText.line(of: done)] + Self.sites(of: done)
    case .serverLost(let reason):
      isLost = true
      return ["\(Self.clock(news.time)) the server is lost (\(reason)); seeking it, or its standby"]
    case .serverFound(let server):
      isLost = false
      return ["\(Self.clock(news.time)) the server at \(server) goes on with the job"]
    case .transferring: return []
    }
  }

  private mutating func begin(_ task: String, _ round: Int, _ sites: [String]) {
    if round != self.round || task != self.task {
      (order, parts, measured) = ([], [:], [:])
      (self.round, self.task) = (round, task)
    }
    for site in sites {
      if parts[site] == nil { order.append(site) }
      parts[site] = .working
      measured[site] = nil
    }
  }

  /// What passes, in a line; `nil` before there is anything.
  var status: String? {
    guard !isLost else { return "seeking the server …" }
    guard round > 0, job?.state.isOver != true else { return nil }
    var text = "round \(round)"
    if rounds > 0 { text += "/\(rounds)" }
    if !task.isEmpty { text += "  \(task)" }
    text += "  " + sitesInShort
    if !transfers.isEmpty { return text + "  " + JobText.line(of: transfers) }
    let recent = seconds.suffix(5)
    if rounds > 0, !recent.isEmpty {
      let each = recent.reduce(0, +) / Double(recent.count)
      text += "  \(TimeLeft.text(Double(max(rounds - round + 1, 0)) * each)) left"
    }
    return text
  }

  /// Of few sites how far each is; of many, how many have answered and who is waited for.
  private var sitesInShort: String {
    if order.count <= Self.named { return order.map(inShort).joined(separator: "  ") }
    let open = order.filter { parts[$0] == .working }
    let count = "\(order.count - open.count)/\(order.count) sites"
    return open.isEmpty ? count : "\(count), waits for \(Self.list(open, atMost: 4))"
  }

  private func inShort(_ site: String) -> String {
    switch parts[site] {
    case .answered: return "✓ \(site)"
    case .refused: return "✗ \(site)"
    case .working, nil:
      if away[site] != nil { return "○ \(site) away" }
      let numbers = measured[site].map { "  " + Self.numbers($0) } ?? ""
      return "● \(site)\(numbers)"
    }
  }

  private static func numbers(_ measurement: JobEvent.SiteMeasurement) -> String {
    let step = measurement.step.map { ["step \($0)"] } ?? []
    return (step + metrics(measurement.metrics)).joined(separator: " ")
  }

  /// What each site measured in a round: nothing if there are too many to read.
  private static func sites(of round: JobEvent.RoundSummary) -> [String] {
    let told = round.contributors.filter { !$0.metrics.isEmpty }
    guard (1...named).contains(told.count) else { return [] }
    return told.map { "    \($0.site)  \(metrics($0.metrics).joined(separator: "  "))" }
  }

  /// A few of some measurements, loss and accuracy first.
  private static func metrics(_ all: [String: Double]) -> [String] {
    let first = ["loss", "accuracy"]
    let names = first.filter { all[$0] != nil } + all.keys.filter { !first.contains($0) }.sorted()
    return names.prefix(4).compactMap { name in
      guard let value = all[name] else { return nil }
      return name.hasSuffix("accuracy")
        ? String(format: "%@ %.1f %%", name, value * 100) : String(format: "%@ %.4g", name, value)
    }
  }

  private static func list(_ names: [String], atMost count: Int = 12) -> String {
    let shown = names.prefix(count).joined(separator: ", ")
    return names.count > count ? "\(shown) and \(names.count - count) more" : shown
  }

  private static func clock(_ date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = abs(date.timeIntervalSinceNow) < 72_000 ? "HH:mm:ss" : "yyyy-MM-dd HH:mm"
    return formatter.string(from: date)
  }
}
