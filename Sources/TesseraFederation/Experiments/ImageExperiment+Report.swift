internal import Foundation
public import TesseraRun

extension ReportPage {
  /// Apart from those of the comparisons.
  private static let trainingColors = [0, 3, 4, 6, 7, 8]

  /// The report of a run of any kind.
  ///
  /// - Parameters:
  ///   - manifest: What the run did; it may be interrupted.
  ///   - record: Where its results are.
  ///   - folder: How the reader names the run's folder in commands.
  public init(_ manifest: RunManifest, of record: RunRecord, folder: String) {
    if manifest.kind == "federation" {
      self.init(job: manifest, of: record, folder: folder)
    } else {
      self.init(experiment: manifest, folder: folder)
    }
  }

  /// The report of a federated image experiment.
  ///
  /// - Parameters:
  ///   - manifest: What the run did; it may be interrupted.
  ///   - folder: How the reader names the run's folder in commands.
  init(experiment manifest: RunManifest, folder: String) {
    func times(_ count: String?) -> String { count == "1" ? "once" : "\(count ?? "?") times" }
    func percent(_ value: Double) -> String { String(format: "%.1f %%", value * 100) }
    // The data sets are called "… train" and "… test".
    let name = manifest.datasets.first?.name ?? "images"
    let dataset = name.hasSuffix(" train") ? String(name.dropLast(6)) : name
    let alone = manifest.sites.compactMap { site in
      manifest.curves[site.name].map { (name: site.name, values: $0) }
    }
    let central = manifest.curves[ImageExperiment.centralName]

    var figures: [Figure] = []
    for training in manifest.trainings {
      guard let accuracy = training.rounds.last?.accuracy else { continue }
      figures.append(Figure("accuracy, \(training.title)", percent(accuracy)))
    }
    let finals = alone.compactMap(\.values.last)
    // Of some sites only, in the order in which they happened to finish, a mean would mislead.
    let isCompared = !finals.isEmpty && finals.count == manifest.sites.count
    if isCompared {
      figures.append(
        Figure(
          "accuracy, one site alone (mean)",
          percent(finals.reduce(0, +) / Double(finals.count))
        )
      )
    }
    if let last = central?.last {
      figures.append(Figure("accuracy, all data in one place", percent(last)))
    }
    figures.append(Figure("training time", TimeLeft.text(manifest.trainingSeconds)))

    var curves = alone.map {
      LinePlot.Curve($0.name, $0.values.map { $0 * 100 }, color: 9, isFaint: true)
    }
    if isCompared, let rounds = alone.map(\.values.count).min() {
      let perRound = (0..<rounds).map { round in alone.map { $0.values[round] * 100 } }
      curves.append(
        .init("one site alone, worst", perRound.map { $0.min() ?? 0 }, color: 5)
      )
      curves.append(
        .init(
          "one site alone, mean",
          perRound.map { $0.reduce(0, +) / Double($0.count) },
          color: 1
        )
      )
    }
    if let central {
      curves.append(.init(ImageExperiment.centralName, central.map { $0 * 100 }, color: 2))
    }
    for (position, training) in manifest.trainings.enumerated() where !training.rounds.isEmpty {
      curves.append(
        .init(
          training.title,
          training.rounds.map { ($0.accuracy ?? 0) * 100 },
          color: Self.trainingColors[position % Self.trainingColors.count]
        )
      )
    }
    var sections: [Section] = [
      Section(
        "Accuracy per round",
        [
          .plot(
            LinePlot(curves, xLabel: "round", yLabel: "accuracy on the test images", unit: " %")
          ),
          .prose(
            """
            Thin grey lines are the single sites. In a round a site that takes part uses each of its \
            images \(times(manifest.configuration["epochs"])); so do, for each point of their \
            curves, the trainings that are compared.
            """
          ),
        ]
          + (manifest.results.isEmpty
            ? []
            : [
              .table(
                header: ["training", "accuracy"],
                rows: manifest.results.map { [$0.name, percent($0.accuracy)] }
              )
            ])
      ),
      Section(
        "What each site has",
        [
          .plot(
            StackedBars(
              manifest.sites.map { .init($0.name, $0.labelCounts) },
              partNames: manifest.classNames,
              label: "Images of each class at each site"
            )
          ),
          .prose("No image leaves its site: only models travel."),
        ]
      ),
    ]
    sections += Section.participation(in: manifest.trainings)
    if manifest.roundCount > 0 { sections.append(.costs(of: manifest.trainings)) }
    sections.append(.origin(of: manifest, hiding: ["data"], folder: folder))
    self.init(
      title: "Federated training on \(dataset)",
      subtitle: """
        \(counted(manifest.sites.count, "site")), \(counted(manifest.roundCount, "round")) · started \
        \(manifest.started)\(manifest.statusNote)
        """,
      figures: figures,
      sections: sections
    )
  }
}
