import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What the names of groups and columns tell, on tables in files.
@Suite struct StatisticsNamesTests {
  /// A table of patients: so many of each disease, of whom so many have a titre.
  private static func table(_ groups: [(disease: String, rows: Int, titres: Int)]) -> String {
    var lines = ["disease,age,titre"]
    for group in groups {
      for row in 0..<group.rows {
        lines.append("\(group.disease),\(30 + row % 40),\(row < group.titres ? "\(row)" : "NA")")
      }
    }
    return lines.joined(separator: "\n")
  }

  /// What the sites answer, word by word, and what comes of it.
  private static func run(
    _ tables: [String],
    rules: StatisticsRules = StatisticsRules(),
    features: [String]? = nil
  ) async throws -> (answers: String, statistics: FederatedStatistics?) {
    let folder = try TemporaryFolder()
    let files = try tables.enumerated().map { number, table in
      try folder.file("\(number).csv", Array(table.utf8))
    }
    let executor = StatisticsExecutor(rules: rules, noise: .reproducible) { site in
      try DataTable.read(CSVFile(contentsOf: files[site.index]), groupedBy: "disease")
    }
    let answers = Mutex("")
    let witness = Doing { task, site in
      let answer = try await executor.execute(task, at: site)
      answers.withLock { $0 += "\(answer)" }
      return answer
    }
    var simulation = Simulation(
      workflow: try StatisticsWorkflow(features: features, otherBins: .init(2), quantiles: [0.5])
    )
    simulation.sites = tables.indices.map {
      Site(index: $0, name: "site-\($0 + 1)", exampleCount: 1000)
    }
    let state = try? await simulation.run(witness, from: WorkflowState(model: .empty)).state
    return (
      answers.withLock { $0 },
      try state?.document(FederatedStatistics.document)
    )
  }

  @Test func theNameOfARareGroupDoesNotLeaveItsSite() async throws {
    let (answers, statistics) = try await Self.run([
      Self.table([("flu", 60, 60), ("cold", 40, 40), ("kuru", 3, 3)]),
      Self.table([("flu", 50, 50), ("kuru", 25, 25)]),
    ])
    // The second site has twenty-five, and may say so; the first must not be seen to have any.
    let result = try #require(statistics)
    #expect(result.sites["site-2"]?.keys.sorted() == ["flu", "kuru"])
    #expect(result.global["kuru"]?["age"]?.count == 25)
    // "cold" is the smallest of the others: without it, 3 rows would be missing from the announced number.
    #expect(result.sites["site-1"]?.keys.sorted() == ["flu"])
    #expect(result.leftOut["site-1"]?.count == 1)
    #expect(
      result.leftOut["site-1"]?.contains { $0.contains("kuru") || $0.contains("cold") } == false
    )
    #expect(result.leftOut["site-2"] == nil)

    let alone = try await Self.run([
      Self.table([("flu", 60, 60), ("cold", 40, 40), ("kuru", 3, 3)])
    ])
    #expect(alone.answers.contains("flu") && !alone.answers.contains("kuru"))
    #expect(!alone.answers.contains("cold"))
    #expect(answers.contains("kuru"))
  }

  @Test func rareGroupsThatAreManyTogetherCostNoOther() async throws {
    let table = Self.table(
      [("flu", 60, 60), ("cold", 40, 40)] + (1...4).map { ("rare\($0)", 4, 4) }
    )
    let (answers, statistics) = try await Self.run([table])
    #expect(statistics?.global.keys.sorted() == ["cold", "flu"])
    #expect(!answers.contains("rare"))

    var rules = StatisticsRules()
    rules.hidesComplements = false
    let few = Self.table([("flu", 60, 60), ("cold", 40, 40), ("kuru", 3, 3)])
    #expect(
      try await Self.run([few], rules: rules).statistics?.global.keys.sorted() == ["cold", "flu"]
    )
    #expect(try await !Self.run([few], rules: rules).answers.contains("kuru"))
  }

  @Test func theOnlyGroupWithEnoughRowsHidesThoseOfTheOther() async throws {
    let (answers, statistics) = try await Self.run([Self.table([("flu", 60, 60), ("kuru", 3, 3)])])
    #expect(statistics == nil)
    #expect(!answers.contains("kuru") && !answers.contains("flu"))
  }

  @Test func theNameOfAColumnWithFewValuesStaysUnlessItWasAskedFor() async throws {
    let table = Self.table([("flu", 60, 4), ("cold", 40, 2)])
    let (answers, statistics) = try await Self.run([table])
    #expect(statistics?.global["flu"]?.keys.sorted() == ["age"])
    #expect(!answers.contains("titre") && statistics?.leftOut["site-1"]?.count == 1)

    let asked = try await Self.run([table], features: ["age", "titre"])
    let lines = try #require(asked.statistics?.leftOut["site-1"])
    #expect(
      lines.sorted() == ["cold, titre: fewer than 10 values", "flu, titre: fewer than 10 values"]
    )
    // Enough of them in one group: their lack in the other may be told.
    let some = try await Self.run([Self.table([("flu", 60, 30), ("cold", 40, 2)])])
    #expect(some.statistics?.leftOut["site-1"] == ["cold, titre: fewer than 10 values"])
  }
}
