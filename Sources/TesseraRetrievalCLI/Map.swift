internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraRetrieval
internal import TesseraRun

struct Map: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Draws the map of languages: near are those in which a model represents the same things alike.",
    discussion: """
      35 languages of Europe and Western Asia, coloured by family. Similarity is the mean canonical correlation of the vectors of the same \
      things (SVCCA), placed by spectral embedding. How near some languages are to those of their area is compared with what comes out when \
      the things of each language are shuffled, and how pure families are with families by lot. Of two models, as one trained on translations alone and \
      one on pictures too, the differences are compared, too.
      """
  )

  /// Which names of things are compared.
  enum Concepts: String, CaseIterable, ExpressibleByArgument {
    case train, all
  }

  @Argument(help: "The model's folder, or those of two models to compare.", completion: .directory)
  var models: [String]

  @Option(help: "The data set's folder that names the same things in all languages, or 'emoji'.")
  var data = "emoji"

  @Option(
    help: "By which things: 'train' takes those whose names are learned in all languages, if any."
  )
  var concepts: Concepts = .train

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How often things are shuffled.", valueName: "0...10000")
  )
  var shuffles = 99

  @Option(
    help: ArgumentHelp("Where the page with the map is written.", valueName: "file"),
    completion: .file(extensions: ["html"])
  )
  var output = "language-map.html"

  @OptionGroup var computer: DeviceOptions

  @Flag(help: "Print similarities and indices as JSON; progress goes to standard error.")
  var json = false

  func validate() throws {
    guard (1...2).contains(models.count) else {
      throw ValidationError("Give the folder of one model, or of two to compare")
    }
    guard (0...10_000).contains(shuffles) else {
      throw ValidationError("The value '\(shuffles)' is invalid for '--shuffles <0...10000>'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let device = try computer.device()
      let dataset = try await session.dataset(data)
      let splits: Set<DatasetSplit>? =
        concepts == .all ? Set(DatasetSplit.allCases) : nil
      let (models, shuffles) = (models, shuffles)
      let maps = try await session.computing {
        try models.map { folder in
          try LanguageMap(
            of: RetrievalModel(contentsOf: FilePath(folder), on: device),
            on: dataset,
            ofConceptsIn: splits,
            shuffles: shuffles
          ) { done, of in
            try Task.checkCancellation()
            session.output.status("  \(folder)  \(done)/\(of) languages and shuffled orders")
          }
        }
      }
      session.output.clear()
      let comparison =
        maps.count == 2 ? try LanguageMapComparison(from: maps[0], to: maps[1]) : nil
      try page(maps, comparison).write(to: FilePath(output))
      if json {
        guard let comparison else { return print(try PrintedJSON.of(maps[0])) }
        return print(try PrintedJSON.of(Compared(maps: maps, comparison: comparison)))
      }
      for (folder, map) in zip(models, maps) {
        session.output.line("\(folder): \(map.languages.count) languages, \(map.things) things")
        show(map.tests, session.output)
      }
      if let comparison {
        session.output.line("the second less the first")
        show(comparison.differences, session.output)
        session.output.line(
          String(format: "  correlation of both maps     %.3f", comparison.agreement)
        )
      }
      session.output.line("Page: \(output)")
    }
  }

  private struct Compared: Encodable {
    var maps: [LanguageMap]
    var comparison: LanguageMapComparison
  }

  private func show(_ tests: LanguageMap.Tests, _ output: ProgressOutput) {
    for row in LanguageMap.rows(of: [tests]) {
      let name = row[0].padding(toLength: 28, withPad: " ", startingAt: 0)
      output.line("  \(name) \(row[1])")
    }
  }

  private func page(
    _ maps: [LanguageMap],
    _ comparison: LanguageMapComparison?
  ) throws -> ReportPage {
    var header = ["number"] + models
    var tests = maps.map(\.tests)
    if let comparison {
      header.append("the second less the first")
      tests.append(comparison.differences)
    }
    let plots = try zip(models, maps).flatMap { folder, map in
      [ReportPage.Content.prose(folder), .plot(try map.plot())]
    }
    return ReportPage(
      title: "The map of languages",
      subtitle: "\(maps[0].languages.count) languages, \(counted(maps[0].things, "thing"))",
      figures: comparison.map {
        [.init("correlation of both maps", String(format: "%.3f", $0.agreement))]
      } ?? [],
      sections: [
        .init("Languages by family", plots),
        .init(
          "Areas and families",
          [
            .prose(LanguageMap.explanation),
            .table(header: header, rows: LanguageMap.rows(of: tests)),
          ]
        ),
      ]
    )
  }
}
