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
      things (SVCCA), placed by spectral embedding; what remains with the things of each language in shuffled order is said beside it.
      """
  )

  @Argument(help: "The model's folder.", completion: .directory)
  var model: String

  @Option(help: "The data set's folder that names the same things in all languages, or 'emoji'.")
  var data = "emoji"

  @Option(
    help: ArgumentHelp("Where the page with the map is written.", valueName: "file"),
    completion: .file(extensions: ["html"])
  )
  var output = "language-map.html"

  @Flag(help: "Print similarities and indices as JSON; progress goes to standard error.")
  var json = false

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = RetrievalSession(json: json)
      let dataset = try await session.dataset(data == "emoji" ? nil : data)
      let folder = FilePath(model)
      let map = try await session.computing {
        try LanguageMap(of: RetrievalModel(contentsOf: folder), on: dataset) { done, of in
          try Task.checkCancellation()
          session.output.status("  \(done)/\(of) languages")
        }
      }
      session.output.clear()
      let purity = [1, 3].map { map.familyPurity(neighbours: $0, excluding: ["en"]) }
      func number(_ value: Double?) -> String { value.map { String(format: "%.3f", $0) } ?? "–" }
      let rows = [
        ["family purity, nearest", number(purity[0])],
        ["family purity, nearest three", number(purity[1])],
        ["Balkan index", number(map.balkanIndex)],
        ["Finnic–Slavic index", number(map.finnicSlavicIndex)],
        ["similarity of shuffled things", number(map.shuffledSimilarity)],
      ]
      let page = ReportPage(
        title: "The map of languages",
        subtitle: "\(map.languages.count) languages, \(map.things) things; the model \(model)",
        figures: rows.map { .init($0[0], $0[1]) },
        sections: [.init("Languages by family", [.plot(try map.plot())])]
      )
      try page.write(to: FilePath(output))
      if json { return print(try PrintedJSON.of(map)) }
      for row in rows {
        session.output.line("\(row[0].padding(toLength: 32, withPad: " ", startingAt: 0))\(row[1])")
      }
      session.output.line("Page: \(output)")
    }
  }
}
