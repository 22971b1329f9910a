internal import Foundation
internal import SystemPackage
internal import TesseraRun

extension ReportPage {
  /// The report of a job.
  ///
  /// - Parameters:
  ///   - manifest: What the job did; it may be interrupted.
  ///   - record: Where its results are.
  ///   - folder: How the reader names the run's folder in commands.
  init(job manifest: RunManifest, of record: RunRecord, folder: String) {
    let training = manifest.trainings.first
    let rounds = training?.rounds ?? []
    var figures = [Figure("sites", "\(manifest.sites.count)"), Figure("rounds", "\(rounds.count)")]
    if let accuracy = rounds.last?.accuracy {
      figures.append(Figure("accuracy", String(format: "%.1f %%", accuracy * 100)))
    }
    for (owner, epsilon) in (rounds.last?.epsilon ?? [:]).sorted(by: { $0.key < $1.key }).prefix(2)
    {
      figures.append(Figure("ε spent, \(owner)", String(format: "%.2f", epsilon)))
    }
    figures.append(Figure("training time", TimeLeft.text(manifest.trainingSeconds)))

    var sections: [Section] = []
    let accuracies = rounds.compactMap(\.accuracy)
    if accuracies.count == rounds.count, !rounds.isEmpty {
      sections.append(
        Section(
          "Accuracy per round",
          [
            .plot(
              LinePlot(
                [
                  .init(manifest.configuration["name"] ?? "", accuracies.map { $0 * 100 }, color: 0)
                ],
                xLabel: "round",
                yLabel: "accuracy on the test data",
                unit: " %"
              )
            )
          ]
        )
      )
    }
    let losses = rounds.compactMap(\.trainingLoss)
    if losses.count == rounds.count, !rounds.isEmpty {
      sections.append(
        Section(
          "Training loss per round",
          [
            .plot(
              LinePlot([.init("sites' mean", losses, color: 0)], xLabel: "round", yLabel: "loss")
            )
          ]
        )
      )
    }
    if (1...50).contains(manifest.sites.count),
      manifest.sites.allSatisfy({ !$0.labelCounts.isEmpty })
    {
      sections.append(
        Section(
          "What each site has",
          [
            .plot(
              StackedBars(
                manifest.sites.map { .init($0.name, $0.labelCounts) },
                partNames: manifest.classNames,
                label: "Examples of each class at each site"
              )
            )
          ]
        )
      )
    }
    func document<Document: Decodable>(_ name: String, _ type: Document.Type) -> Document? {
      let file = record.documentFile(name, of: training?.name ?? "")
      guard let data = FileManager.default.contents(atPath: file.string) else { return nil }
      return try? JSONDecoder().decode(type, from: data)
    }
    if let matrix = document(CrossSiteMatrix.document, CrossSiteMatrix.self) {
      sections.append(Section(matrix))
    }
    let global = GlobalModelEvaluation.self
    if let result = document(global.document, global.Result.self) {
      sections.append(Section(result))
    }
    if let statistics = document(FederatedStatistics.document, FederatedStatistics.self) {
      sections.append(Section(statistics))
    }
    if let draw = manifest.configuration["draw"] {
      sections.append(Section("Who took part", [.prose("The draw of the sites is \(draw).")]))
    } else {
      sections += Section.participation(in: manifest.trainings)
    }
    if !rounds.isEmpty { sections.append(.costs(of: manifest.trainings)) }
    sections.append(
      .origin(of: manifest, hiding: ["folder", "job.yml", "data.yml"], folder: folder)
    )
    self.init(
      title: "Federated job \(manifest.configuration["name"] ?? "")",
      subtitle: """
        \(counted(manifest.sites.count, "site")), \(counted(rounds.count, "round")) · started \
        \(manifest.started)\(manifest.statusNote)
        """,
      figures: figures,
      sections: sections
    )
  }
}
