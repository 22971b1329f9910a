internal import Foundation
internal import SystemPackage
internal import TesseraCore
public import TesseraRun

extension RetrievalExperiment {
  /// The languages whose searches the report shows.
  public static let shownLanguages = ["hi", "sw", "fr", "cy", "am", "zu"]

  /// What is compared: MURAL's system with ALIGN's, and the same by a federation with it.
  public static let compared: [(first: RetrievalPlan.System, second: RetrievalPlan.System)] = [
    (.align, .mural), (.mural, .federated),
  ]

  /// The comparison of two systems on a track; `nil` if not both are trained, or the data set has nothing of it.
  ///
  /// - Parameters:
  ///   - first: One system.
  ///   - second: The other.
  ///   - track: Which.
  ///   - record: Of a run whose trainings are finished.
  /// - Returns: Over all seeds that both have.
  /// - Throws: ``RetrievalError``, naming the file, if results cannot be read.
  public func comparison(
    of first: RetrievalPlan.System = .align,
    with second: RetrievalPlan.System = .mural,
    on track: RetrievalTrack.Standard,
    in record: RunRecord
  ) throws -> SystemComparison? {
    guard plan.systems.contains(first), plan.systems.contains(second) else { return nil }
    func results(_ system: RetrievalPlan.System) throws -> [TrackResult] {
      try trainings.filter { $0.system == system }.compactMap { training in
        try record.results(of: training.name).first { $0.track == track.rawValue }
      }
    }
    let (one, other) = (try results(first), try results(second))
    guard !one.isEmpty, !other.isEmpty else { return nil }
    return SystemComparison(
      of: first.title,
      one,
      with: second.title,
      other,
      key: RandomKey(seed: plan.seeds[0])["comparison"]
    )
  }

  /// The map of languages of a training's model.
  ///
  /// - Parameters:
  ///   - training: Its name.
  ///   - record: The run's.
  /// - Returns: The map of the languages that the data set has.
  /// - Throws: ``RetrievalError`` if there is no such model, or there are too few languages.
  public func languageMap(of training: String, in record: RunRecord) throws -> LanguageMap {
    try LanguageMap(
      of: RetrievalModel(contentsOf: record.model(of: training)),
      on: dataset,
      languages: LanguageFamily.allLanguages,
      shuffles: 39,
      key: RandomKey(seed: plan.seeds[0])["language map"]
    )
  }

  /// The report of a finished run.
  ///
  /// - Parameters:
  ///   - manifest: What the run did.
  ///   - record: Where its results are.
  ///   - others: Collections of other kinds that the models are measured on as well, all of each.
  /// - Returns: A page.
  /// - Throws: What is wrong with the run's files.
  public func report(
    _ manifest: RunManifest,
    of record: RunRecord,
    others: [RetrievalDataset] = []
  ) throws -> ReportPage {
    let first = trainings.filter { $0.seed == plan.seeds[0] }
    let models = try first.filter { $0.system != .text }.map { training in
      (
        title: training.system.title,
        model: try RetrievalModel(contentsOf: record.model(of: training.name))
      )
    }
    let comparisons = try Self.compared.map { pair in
      try RetrievalTrack.Standard.allCases.compactMap {
        try comparison(of: pair.first, with: pair.second, on: $0, in: record)
      }
    }
    var sections: [ReportPage.Section] = []
    for (pair, tracks) in zip(Self.compared, comparisons) where !tracks.isEmpty {
      sections += Self.recallSections(
        tracks,
        pair.second == .federated
          ? "What it costs to leave texts where they are" : "What translations bring",
        pair.second == .federated ? Self.aboutFederation : Self.aboutTranslations
      )
    }
    if sections.isEmpty { sections = try singleSections(record) }
    sections += try otherSections(models, others)
    sections += try searchSections(models)
    sections += try mapSections(first, record)
    sections.append(curves(manifest))
    sections.append(dataSection())
    return ReportPage(
      title: "Pictures and texts in \(Self.languageCount(dataset)) languages",
      subtitle: """
        \(plan.model.name) on \(dataset.description.name), \(plan.training.steps) steps, \
        \(counted(plan.seeds.count, "seed")); \(manifest.started)
        """,
      figures: figures(comparisons.first ?? [], manifest),
      sections: sections
    )
  }
}

extension RetrievalExperiment {
  private static func languageCount(_ dataset: RetrievalDataset) -> Int {
    let languages = dataset.description.languages
    return languages.wellResourced.count + languages.underResourced.count
  }

  private static func percent(_ value: Double) -> String { String(format: "%.1f %%", value * 100) }

  private static func points(_ value: Double) -> String { String(format: "%+.1f", value * 100) }

  private func figures(
    _ comparisons: [SystemComparison],
    _ manifest: RunManifest
  ) -> [ReportPage.Figure] {
    var figures: [ReportPage.Figure] = []
    if let unseen = comparisons.first(where: {
      $0.track == RetrievalTrack.Standard.unseenCaptions.rawValue
    }) {
      figures.append(.init("unseen captions, ALIGN-style", Self.percent(unseen.first.mean)))
      figures.append(.init("unseen captions, MURAL-style", Self.percent(unseen.second.mean)))
      if let difference = unseen.difference {
        let (low, high) = (difference.interval.lowerBound, difference.interval.upperBound)
        figures.append(
          .init(
            "points more, 95 % within \(Self.points(low)) to \(Self.points(high))",
            Self.points(difference.difference)
          )
        )
      }
    }
    figures.append(.init("training time", TimeLeft.text(manifest.trainingSeconds)))
    return figures
  }

  private static let aboutTranslations = """
    Mean recall: the mean of Recall@1, 5 and 10, from texts to pictures and back, on drawings by an artist whom no \
    model has seen. Both systems had the same pictures with the same texts in well-resourced languages, as often; \
    MURAL-style had translations besides.
    """

  private static let aboutFederation = """
    Each site holds the captions and translations of its own languages alone, and sends what its steps have made of the \
    model; the next round begins with the mean. One training with all texts in one place had as many steps as each site.
    """

  private static func recallSections(
    _ comparisons: [SystemComparison],
    _ title: String,
    _ text: String
  ) -> [ReportPage.Section] {
    let names = comparisons.first?.names ?? ["", ""]
    let rows = comparisons.map { comparison in
      let difference = comparison.difference
      return [
        comparison.track, measured(comparison.first), measured(comparison.second),
        difference.map { points($0.difference) } ?? "–",
        difference.map {
          "\(points($0.interval.lowerBound)) to \(points($0.interval.upperBound))"
        } ?? "–",
      ]
    }
    var sections = [
      ReportPage.Section(
        title,
        [
          .prose(text),
          .table(header: ["track"] + names + ["difference", "95 % interval"], rows: rows),
        ]
      )
    ]
    for comparison in comparisons {
      let languages = comparison.languages.sorted {
        ($0.value.first - $0.value.second, $0.key) < ($1.value.first - $1.value.second, $1.key)
      }
      sections.append(
        ReportPage.Section(
          "Language by language: \(comparison.track), \(names.joined(separator: " and "))",
          [
            .table(
              header: ["language"] + names + ["difference"],
              rows: languages.map { language, pair in
                [
                  language, percent(pair.first), percent(pair.second),
                  points(pair.second - pair.first),
                ]
              }
            )
          ]
        )
      )
    }
    return sections
  }

  private static func measured(_ values: [Double]) -> String {
    values.count > 1
      ? String(format: "%.1f ± %.1f %%", values.mean * 100, values.deviation * 100)
      : percent(values.mean)
  }

  /// Of one system alone.
  private func singleSections(_ record: RunRecord) throws -> [ReportPage.Section] {
    try trainings.filter { $0.system != .text }.map { training in
      let results = try record.results(of: training.name)
      return ReportPage.Section(
        "\(training.system.title) (\(training.name))",
        [
          .table(
            header: ["track", "mean recall", "nDCG@10"],
            rows: results.map {
              [$0.track, Self.percent($0.meanRecall), Self.percent($0.gainAtTen)]
            }
          )
        ]
      )
    }
  }

  private func searchSections(
    _ models: [(title: String, model: RetrievalModel)]
  ) throws -> [ReportPage.Section] {
    let description = dataset.description.languages
    let known = Set(description.wellResourced + description.underResourced)
    let languages = Self.shownLanguages.filter(known.contains)
    let track = RetrievalTrack(.unseenCaptions, of: dataset)
    guard !models.isEmpty, !languages.isEmpty, track.pictures.count >= 5 else { return [] }
    let searches = try ShownSearches(dataset, track)
    let concepts = searches.concepts(2 * languages.count, namedIn: languages + ["en"])
    guard !concepts.isEmpty else { return [] }
    let queries = concepts.enumerated().map {
      (language: languages[$0.offset % languages.count], concept: $0.element)
    }
    return [
      ReportPage.Section(
        "Pictures that a text finds",
        [.pictures(try searches.pictures(for: queries, by: models))]
      ),
      ReportPage.Section(
        "Texts that a picture finds",
        [.pictures(try searches.texts(in: languages, for: concepts, by: models))]
      ),
    ]
  }

  private func mapSections(
    _ trainings: [(name: String, system: RetrievalPlan.System, seed: UInt64)],
    _ record: RunRecord
  ) throws -> [ReportPage.Section] {
    var maps: [(title: String, map: LanguageMap)] = []
    var missing: [ReportPage.Content] = []
    for training in trainings where [.mural, .text].contains(training.system) {
      do {
        maps.append((training.system.title, try languageMap(of: training.name, in: record)))
      } catch let error as RetrievalError where error.code == .invalidArgument {
        missing.append(.prose("There is no map of \(training.system.title): \(error.message)."))
      }
    }
    guard !maps.isEmpty || !missing.isEmpty else { return [] }
    var content = missing
    if !maps.isEmpty {
      var (header, tests) = (["number"] + maps.map(\.title), maps.map(\.map.tests))
      if maps.count == 2 {
        header.append("the second less the first")
        tests.append(try LanguageMapComparison(from: maps[0].map, to: maps[1].map).differences)
      }
      content += [
        .prose(LanguageMap.explanation), .table(header: header, rows: LanguageMap.rows(of: tests)),
      ]
    }
    for (title, map) in maps { content += [.prose(title), .plot(try map.plot())] }
    return [ReportPage.Section("The map of languages", content)]
  }

  private func curves(_ manifest: RunManifest) -> ReportPage.Section {
    let measured = manifest.trainings.filter { $0.rounds.contains { $0.accuracy != nil } }
    return ReportPage.Section(
      "Training",
      [
        .plot(
          LinePlot(
            measured.enumerated().map { number, training in
              .init(
                "\(training.title) (\(training.name))",
                training.rounds.map { ($0.accuracy ?? .nan) * 100 },
                color: number
              )
            },
            xLabel: "checkpoint, each \(plan.checkpointEvery) steps",
            yLabel: "mean recall of unseen captions, concepts for choosing settings",
            unit: " %"
          )
        )
      ]
    )
  }

  private func dataSection() -> ReportPage.Section {
    ReportPage.Section(
      "Data",
      [
        .prose(
          """
          \(dataset.description.name): \(dataset.concepts.count) things, \(dataset.pictures.count) pictures, \
          \(dataset.captions.count) captions, \(dataset.pairs.count) translations. Digest \(dataset.digest ?? "none").
          """
        ),
        .table(
          header: ["source", "version", "licence"],
          rows: dataset.description.sources.map { [$0.name, $0.version, $0.licence] }
        ),
        .table(
          header: ["translations from", "how many"],
          rows: dataset.pairsBySource.sorted { $0.key < $1.key }.map {
            [$0.key, grouped($0.value)]
          }
        ),
      ]
    )
  }
}
