internal import Foundation
internal import SystemPackage
public import TesseraRun

/// What came of a run, for those who asked for it: a few lines, or JSON for a program.
public struct RunSummary: Sendable, Codable, Equatable {
  /// A training, or what it is compared with.
  public struct Training: Sendable, Codable, Equatable {
    /// What it is called.
    public var title: String
    /// How many rounds there were.
    public var rounds: Int
    /// The last accuracy on the test data, in `0...1`, if it was measured.
    public var accuracy: Double?
    /// The accuracy at which training was to end.
    public var targetAccuracy: Double?
    /// The first round whose accuracy was that good.
    public var roundsToTarget: Int?
    /// How many times smaller the answers were than without compression, on average.
    public var compression: Double?
    /// The bytes of tensors that sites were sent.
    public var bytesDown: Int
    /// The bytes of tensors that sites answered with.
    public var bytesUp: Int
    /// What has been spent of the privacy budget, by its owner.
    public var epsilon: [String: Double]
    /// The sites' parts, those with most weight first.
    public var sites: [Site]
    /// The answers that were not used.
    public var refusals: [Refusal]
  }
  /// A site's part in a training.
  public struct Site: Sendable, Codable, Equatable {
    /// Its name.
    public var name: String
    /// In how many rounds its answer was used.
    public var rounds: Int
    /// Its share of all weight, in `0...1`.
    public var share: Double
    /// How many of its answers were not used.
    public var refusals: Int
    /// What its last answer in which there was such a measurement said, as `loss` and `accuracy`.
    public var metrics: [String: Double]
  }
  /// An answer that was not used.
  public struct Refusal: Sendable, Codable, Equatable {
    /// The round.
    public var round: Int
    /// The site.
    public var site: String
    /// Why.
    public var reason: String
  }

  /// How the run ended.
  public var status: RunManifest.Status
  /// Why, if it failed.
  public var message: String?
  /// The run's folder.
  public var folder: String
  /// The report.
  public var report: String
  /// The trainings.
  public var trainings: [Training]
  /// The final accuracies, of what trainings are compared with too.
  public var results: [RunManifest.Result]
  /// How long sites trained.
  public var trainingSeconds: Double

  /// The summary of a run, as far as it has come.
  public init(_ manifest: RunManifest, of record: RunRecord) {
    status = manifest.status
    message = manifest.message
    folder = record.folder.string
    report = record.reportFile.string
    let target = manifest.configuration["target accuracy"].flatMap { Double($0) }
    // Of the same weight, in the order that they have.
    let order = Dictionary(
      manifest.sites.enumerated().map { ($0.element.name, $0.offset) },
      uniquingKeysWith: min
    )
    trainings = manifest.trainings.map { training in
      let rounds = training.rounds
      var metrics: [String: [String: Double]] = [:]
      for part in rounds.flatMap(\.contributors) {
        metrics[part.site, default: [:]].merge(part.metrics) { $1 }
      }
      let ratios = rounds.compactMap(\.compression)
      return Training(
        title: training.title,
        rounds: rounds.count,
        accuracy: rounds.last?.accuracy,
        targetAccuracy: target,
        roundsToTarget: target.flatMap { target in
          rounds.first { ($0.accuracy ?? -1) >= target }?.round
        },
        compression: ratios.isEmpty ? nil : ratios.reduce(0, +) / Double(ratios.count),
        bytesDown: rounds.reduce(0) { $0 + $1.bytesDown },
        bytesUp: rounds.reduce(0) { $0 + $1.bytesUp },
        epsilon: rounds.last?.epsilon ?? [:],
        sites: Participant.all(of: training).map {
          Site(
            name: $0.site,
            rounds: $0.rounds,
            share: $0.share,
            refusals: $0.refusals,
            metrics: metrics[$0.site] ?? [:]
          )
        }.sorted {
          ($1.share, order[$0.name] ?? .max, $0.name) < ($0.share, order[$1.name] ?? .max, $1.name)
        },
        refusals: rounds.flatMap { round in
          round.rejected.map { Refusal(round: round.round, site: $0.site, reason: $0.reason) }
        }
      )
    }
    results = manifest.results
    trainingSeconds = manifest.trainingSeconds
  }

  /// The summary as lines of text: what one training came to, with its sites; of several, their accuracies.
  public var lines: [String] {
    var lines: [String] = []
    let width = results.map(\.name.count).max() ?? 0
    for result in results {
      let name = result.name.padding(toLength: width, withPad: " ", startingAt: 0)
      lines.append("  \(name)  \(Self.percent(result.accuracy))")
    }
    for training in trainings {
      guard let target = training.targetAccuracy else { continue }
      let goal = "\(String(format: "%.1f", target * 100)) % was"
      lines.append(
        "  \(training.title): "
          + (training.roundsToTarget.map { "\(goal) reached in round \($0)" }
            ?? "\(goal) not reached in \(counted(training.rounds, "round"))")
      )
    }
    if trainings.count == 1, let training = trainings.first, training.rounds > 0 {
      lines += Self.lines(of: training)
    }
    if lines.first?.isEmpty == true { lines.removeFirst() }
    return lines
  }

  private static func lines(of training: Training) -> [String] {
    let shown = training.sites.prefix(12)
    var lines: [String] = []
    if !shown.isEmpty {
      // What no site has gets no column.
      let columns: [(title: String, cell: (Site) -> String?)] = [
        ("loss", { $0.metrics["loss"].map { String(format: "%.3f", $0) } }),
        ("accuracy", { $0.metrics["accuracy"].map(percent) }),
        ("own accuracy", { $0.metrics["personal accuracy"].map(percent) }),
        ("ε", { training.epsilon[$0.name].map { String(format: "%.2f", $0) } }),
      ]
      let optional = columns.filter { column in shown.contains { column.cell($0) != nil } }
      let header = ["site", "rounds", "weight", "not used"] + optional.map(\.title)
      let rows = shown.map { site in
        [
          site.name, "\(site.rounds)/\(training.rounds)", percent(site.share), "\(site.refusals)",
        ] + optional.map { $0.cell(site) ?? "–" }
      }
      let table = [header] + rows
      let widths = header.indices.map { column in table.map { $0[column].count }.max() ?? 0 }
      lines.append("")
      lines += table.map { row in
        let cells = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        return "  " + cells.joined(separator: "  ").trimmingSuffix()
      }
      if training.sites.count > shown.count {
        lines.append("  … and \(training.sites.count - shown.count) more, in the report")
      }
    }
    if let first = training.refusals.first {
      lines.append("")
      lines.append(
        """
          \(counted(training.refusals.count, "answer")) not used; the first, of \(first.site) in round \
        \(first.round): \(first.reason)
        """
      )
    }
    var costs = ["sent \(size(training.bytesDown)), answered \(size(training.bytesUp))"]
    if let compression = training.compression {
      costs.append("answers \(String(format: "%.1f", compression)) × smaller by compression")
    }
    if let spent = training.epsilon["job"] {
      costs.append("the job has spent ε = \(String(format: "%.2f", spent))")
    }
    return lines + ["", "  " + costs.joined(separator: "; ")]
  }

  private static func percent(_ share: Double) -> String {
    let number = String(format: "%.1f", share * 100)
    return String(repeating: " ", count: max(0, 5 - number.count)) + number + " %"
  }

  private static func size(_ bytes: Int) -> String {
    if bytes < 1000 { return "\(bytes) B" }
    return bytes < 1_000_000
      ? String(format: "%.1f KB", Double(bytes) / 1e3)
      : String(format: "%.1f MB", Double(bytes) / 1e6)
  }
}

extension String {
  /// The text without spaces at its end.
  fileprivate func trimmingSuffix() -> String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
