internal import Foundation
internal import TesseraDeployment
internal import TesseraFederation
internal import TesseraRun

/// Jobs, as people read them.
enum JobText {
  /// What of a folder goes to the server and the sites.
  static func sent(_ bundle: JobBundle) -> [String] {
    let size = bytes(bundle.files.reduce(0) { $0 + $1.contents.count })
    let left =
      bundle.leftOut.isEmpty ? "" : "; \(bundle.leftOut.joined(separator: ", ")) stayed here"
    return ["Sent \(counted(bundle.files.count, "file")), \(size)\(left)."]
  }

  static func submitted(_ job: ListedJob) -> [String] {
    if let reason = job.state.reason { return ["Job \(job.id) is \(job.state.name): \(reason)"] }
    var lines = ["Job \(job.id) is \(job.state.name)."]
    if let reason = job.waiting { lines.append("It \(reason).") }
    lines += awayLines(job.away)
    return lines + ["Follow it: \(FederationProgram.name) watch \(job.id)"]
  }

  /// Who is away, since when.
  static func awayLines(_ away: [JobEvent.AwaySite]) -> [String] {
    away.isEmpty
      ? []
      : [
        "Not connected: "
          + away.map { "\($0.site), since \(time($0.since))" }.joined(separator: "; ") + "."
      ]
  }

  static func table(of jobs: [ListedJob]) -> [String] {
    columns(
      [["JOB", "STATE", "BY", "SUBMITTED", "SITES", "TOOK", "WAITS FOR"]]
        + jobs.map { job in
          [
            job.id, job.state.name + (job.paused == nil ? "" : ", pauses"), job.submitter.name,
            time(job.submitted), job.sites.isEmpty ? "–" : "\(job.sites.count)",
            took(job.job) ?? "–", awaited(by: job),
          ]
        }
    )
  }

  /// What a job waits for, as short as a table has it.
  private static func awaited(by job: ListedJob) -> String {
    guard !job.away.isEmpty else { return job.waiting == nil ? "–" : "room" }
    let shown = job.away.prefix(3).map { "\($0.site) (since \(time($0.since)))" }
    let more = job.away.count - shown.count
    return (shown + (more > 0 ? ["\(more) more"] : [])).joined(separator: ", ")
  }

  static func page(of details: JobDetails) -> [String] {
    let job = details.job
    var lines = ["\(job.id): \(job.state.name)\(job.state.reason.map { ", \($0)" } ?? "")"]
    lines.append(
      "  submitted by \(job.submitter.name), \(job.submitter.organisation), \(time(job.submitted))"
    )
    if let original = job.clonedFrom { lines.append("  a copy of \(original)") }
    if let reason = details.waiting { lines.append("  it \(reason)") }
    for site in details.away { lines.append("  \(site.site) is away since \(time(site.since))") }
    if let took = took(job) { lines.append("  took \(took)") }
    if !job.sites.isEmpty {
      let sites = job.sites.map {
        $0.examples > 0 ? "\($0.name) (\(counted($0.examples, "example")))" : $0.name
      }
      lines.append("  sites: \(sites.joined(separator: ", "))")
    }
    for (site, reason) in details.declined.sorted(by: { $0.key < $1.key }) {
      lines.append("  \(site) does not take part: \(reason)")
    }
    if details.rounds.count > 20 { lines.append("  …") }
    for round in details.rounds.suffix(20) { lines.append("  " + line(of: round)) }
    return lines
  }

  /// A round in a line: what was measured, who took part, what was moved and how fast.
  static func line(of round: JobEvent.RoundSummary) -> String {
    var parts = ["round \(round.round)/\(round.rounds)"]
    let asked = round.contributors.count + round.rejected.count
    if asked > 0 { parts.append("sites \(round.contributors.count)/\(asked)") }
    if let loss = round.trainingLoss { parts.append(String(format: "loss %.3f", loss)) }
    if let accuracy = round.accuracy {
      parts.append(String(format: "accuracy %.1f %%", accuracy * 100))
    }
    let moved = round.bytesDown + round.bytesUp
    if moved > 0 {
      parts.append(
        "\(bytes(round.bytesDown)) down, \(bytes(round.bytesUp)) up"
          + (round.seconds > 0 ? ", \(bytes(Int(Double(moved) / round.seconds)))/s" : "")
      )
    }
    parts.append(
      round.seconds < 1
        ? String(format: "%.0f ms", round.seconds * 1000)
        : String(format: "%.1f s", round.seconds)
    )
    return parts.joined(separator: "  ")
  }

  /// What is on its way, in a line: of many, those that are least far.
  static func line(of transfers: [JobEvent.Transfer]) -> String {
    let shown = transfers.sorted { $0.bytes * max($1.total, 1) < $1.bytes * max($0.total, 1) }
      .prefix(4)
    var parts = transfers.filter(shown.contains).map { transfer in
      let arrow = transfer.direction == .down ? "↓" : "↑"
      let rate = transfer.bytesPerSecond.map { ", \(bytes(Int($0.rounded())))/s" } ?? ""
      return "\(transfer.site) \(arrow) \(bytes(transfer.bytes)) of \(bytes(transfer.total))\(rate)"
    }
    if transfers.count > shown.count { parts.append("and \(transfers.count - shown.count) more") }
    return parts.joined(separator: "  ")
  }

  static func bytes(_ count: Int) -> String {
    switch count {
    case ..<1000: "\(count) B"
    case ..<1_000_000: String(format: "%.1f kB", Double(count) / 1e3)
    case ..<1_000_000_000: String(format: "%.1f MB", Double(count) / 1e6)
    default: String(format: "%.2f GB", Double(count) / 1e9)
    }
  }

  static func time(_ date: Date) -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd HH:mm"
    return formatter.string(from: date)
  }

  private static func took(_ job: JobRecord) -> String? {
    guard let start = job.started else { return nil }
    return TimeLeft.text((job.ended ?? Date()).timeIntervalSince(start))
  }

  /// Rows as lines, each column as wide as it has to be.
  static func columns(_ rows: [[String]]) -> [String] {
    let count = rows.map(\.count).max() ?? 0
    let widths = (0..<count).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      row.enumerated().map { column, text in
        column + 1 == row.count
          ? text : text + String(repeating: " ", count: widths[column] - text.count)
      }.joined(separator: "  ")
    }
  }
}
