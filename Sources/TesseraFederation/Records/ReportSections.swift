internal import Foundation
internal import TesseraRun

extension ReportPage.Section {
  /// Who contributed to a training, with what weight, and who was dropped and why.
  static func participation(in trainings: [RunManifest.Training]) -> [ReportPage.Section] {
    let isAlone = trainings.count == 1
    var sections: [ReportPage.Section] = []
    let done = trainings.filter { !$0.rounds.isEmpty }
    let all = done.map(Participant.all)
    // The same sites in the same rounds need one table.
    let isOne =
      all.dropFirst().allSatisfy { $0 == all.first } && Set(done.map(\.rounds.count)).count <= 1
    for (training, rows) in zip(done, all).prefix(isOne ? 1 : done.count) {
      // A page is for people: of very many sites it shows the extremes.
      let shown = rows.count > 60 ? Array(rows.prefix(30) + rows.suffix(30)) : rows
      var contents: [ReportPage.Content] = [
        .table(
          header: ["site", "rounds", "share of the weight", "not used"],
          rows: shown.map {
            [
              $0.site, "\($0.rounds) of \(training.rounds.count)",
              String(format: "%.1f %%", $0.share * 100), "\($0.refusals)",
            ]
          }
        )
      ]
      if shown.count < rows.count {
        contents.append(
          .prose("The 30 sites with most weight and the 30 with least, of \(rows.count).")
        )
      }
      sections.append(
        ReportPage.Section(
          isOne ? "Who took part" : "Who took part in \(training.title)",
          contents
        )
      )
    }
    let refused = trainings.flatMap { training in
      training.rounds.flatMap { round in
        round.rejected.map {
          (isAlone ? [] : [training.title]) + ["\(round.round)", $0.site, $0.reason]
        }
      }
    }
    if !refused.isEmpty {
      var contents: [ReportPage.Content] = [
        .table(
          header: (isAlone ? [] : ["training"]) + ["round", "site", "reason"],
          rows: Array(refused.prefix(200))
        )
      ]
      if refused.count > 200 {
        contents.append(.prose("The first 200 of \(refused.count); the journal has all."))
      }
      sections.append(ReportPage.Section("Answers that were not used", contents))
    }
    return sections
  }

  /// How long rounds took and what travelled.
  static func costs(of trainings: [RunManifest.Training]) -> ReportPage.Section {
    let done = trainings.filter { !$0.rounds.isEmpty }
    func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }
    return ReportPage.Section(
      "Time and traffic",
      [
        .table(
          header: ["training", "seconds per round", "sent to sites", "answered", "compression"],
          rows: done.map { training in
            let rounds = training.rounds
            let count = Double(rounds.count)
            let ratios = rounds.compactMap(\.compression)
            return [
              training.title,
              String(format: "%.2f", rounds.reduce(0) { $0 + $1.seconds } / count),
              megabytes(rounds.reduce(0) { $0 + $1.bytesDown }),
              megabytes(rounds.reduce(0) { $0 + $1.bytesUp }),
              ratios.isEmpty
                ? "none" : String(format: "%.1f ×", ratios.reduce(0, +) / Double(ratios.count)),
            ]
          }
        )
      ]
        + done.flatMap { training in
          [
            .prose("Seconds per round, \(training.title):"),
            .plot(BarPlot(training.rounds.map(\.seconds), xLabel: "round", yLabel: "seconds")),
          ]
        }
    )
  }

  /// The settings, and how to repeat the run.
  static func origin(
    of manifest: RunManifest,
    hiding hidden: Set<String>,
    folder: String
  ) -> ReportPage.Section {
    let own = manifest.trainings.flatMap { training in
      training.settings.sorted { $0.key < $1.key }.map {
        ["\(training.title): \($0.key)", $0.value]
      }
    }
    return ReportPage.Section(
      "How it was made",
      [
        .table(
          header: ["setting", "value"],
          rows: [["seed", "\(manifest.seed)"]]
            + manifest.configuration.filter { !hidden.contains($0.key) }
            .sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
            + own + manifest.versions.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
        ),
        .prose(
          "Anyone with the same data can repeat this run and compare every tensor of every round:"
        ),
        .command("./tessera verify \(folder)"),
      ]
    )
  }
}

/// A site's part in a whole training.
struct Participant: Equatable {
  var site: String
  var rounds = 0
  var refusals = 0
  var weight = 0.0
  var share = 0.0

  /// The sites, those with most weight first.
  static func all(of training: RunManifest.Training) -> [Participant] {
    var found: [String: Participant] = [:]
    for round in training.rounds {
      for site in Set(round.contributors.map(\.site)) {
        found[site, default: Participant(site: site)].rounds += 1
      }
      for part in round.contributors { found[part.site]?.weight += part.weight }
      for refusal in round.rejected {
        found[refusal.site, default: Participant(site: refusal.site)].refusals += 1
      }
    }
    let total = found.values.reduce(0) { $0 + $1.weight }
    return found.values.map { participant in
      var participant = participant
      participant.share = total > 0 ? participant.weight / total : 0
      return participant
    }.sorted { ($1.weight, $0.site) < ($0.weight, $1.site) }
  }
}

extension RunManifest {
  /// How the run ended, as the end of a subtitle.
  var statusNote: String {
    switch status {
    case .finished: ""
    case .interrupted: " · interrupted"
    case .failed: " · failed: \(message ?? "for an unknown reason")"
    case .running: " · under way"
    }
  }
}
