import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// What NumPy says of the tables of three sites; made by `Fixtures/Statistics/make.py`.
private struct Expected: Decodable {
  struct Feature: Decodable {
    var count: Int
    var missing: Int
    var sum, mean, variance, low, high: Double
    var histogram: [Int]
    var below, above: Int
    var quantiles, sorted: [Double]?
  }
  var bins: Int
  var ranges: [String: [Double]]
  var shares: [Double]
  var global: [String: [String: Feature]]
  var sites: [String: [String: [String: Feature]]]

  static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
    .appending("Fixtures").appending("Statistics")

  static func load() throws -> Expected {
    let file = folder.appending("expected.json").string
    return try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(filePath: file)))
  }
}

@Suite struct StatisticsTests {
  static let sites = (0..<3).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 300) }
  /// Rules that keep nothing back.
  static let open = StatisticsRules(
    minimumCount: 1,
    maximumBinShare: 10,
    smallestBin: 0,
    smallestGroup: 1
  )

  static func executor(
    _ rules: StatisticsRules = open,
    noise: StatisticsNoise = .reproducible
  ) -> StatisticsExecutor {
    StatisticsExecutor(rules: rules, noise: noise) { site in
      let file = try CSVFile(contentsOf: Expected.folder.appending("\(site.name).csv"))
      return try DataTable.read(file, groupedBy: "diagnosis")
    }
  }

  private static func workflow(_ expected: Expected) throws -> StatisticsWorkflow {
    try StatisticsWorkflow(
      bins: expected.ranges.mapValues { .init(expected.bins, from: $0[0], to: $0[1]) },
      quantiles: expected.shares
    )
  }

  static func statistics(
    _ workflow: StatisticsWorkflow,
    _ executor: any Executor,
    lanes: Int = 2,
    sites: [Site] = sites
  ) async throws -> FederatedStatistics {
    var simulation = Simulation(workflow: workflow, lanes: lanes)
    simulation.sites = sites
    let state = try await simulation.run(executor, from: WorkflowState(model: .empty)).state
    return try #require(
      try state.document(FederatedStatistics.document, as: FederatedStatistics.self)
    )
  }

  private func expect(
    _ actual: FederatedStatistics.Feature?,
    _ expected: Expected.Feature,
    _ name: String
  ) throws {
    let actual = try #require(actual, "\(name)")
    #expect(actual.count == expected.count && actual.missing == expected.missing, "\(name)")
    func isClose(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) <= 1e-12 * abs(b) }
    #expect(isClose(actual.sum, expected.sum), "\(name)")
    #expect(isClose(actual.mean, expected.mean), "\(name)")
    #expect(
      abs((actual.variance ?? .nan) - expected.variance) <= 1e-9 * expected.variance,
      "\(name)"
    )
    #expect(actual.histogram?.counts == expected.histogram, "\(name)")
    #expect(actual.histogram?.below == expected.below, "\(name)")
    #expect(actual.histogram?.above == expected.above, "\(name)")
    // The noise is a tenth to three tenths of the range, at each end.
    let range = expected.high - expected.low
    let margins = [expected.low - (actual.low ?? .nan), (actual.high ?? .nan) - expected.high]
    for margin in margins { #expect(margin >= 0.099 * range, "\(name)") }
  }

  @Test func theyAreThoseOfAllTablesTogetherAndOfEach() async throws {
    let expected = try Expected.load()
    let statistics = try await Self.statistics(Self.workflow(expected), Self.executor())
    #expect(statistics.missing.isEmpty && statistics.leftOut.isEmpty)
    for (group, features) in expected.global {
      #expect(features.count == 4)
      for (name, feature) in features {
        try expect(statistics.global[group]?[name], feature, "\(group) \(name)")
        for site in Self.sites {
          try expect(
            statistics.sites[site.name]?[group]?[name],
            try #require(expected.sites[site.name]?[group]?[name]),
            "\(site.name) \(group) \(name)"
          )
        }
      }
    }
  }

  @Test(arguments: [1, 5]) func quantilesAreWithinTheErrorThatTheyState(group: Int) async throws {
    let expected = try Expected.load()
    var rules = Self.open
    rules.smallestGroup = group
    let statistics = try await Self.statistics(Self.workflow(expected), Self.executor(rules))
    var largest = 0.0
    for (group, features) in expected.global {
      for (name, feature) in features {
        let quantiles = try #require(statistics.global[group]?[name]?.quantiles)
        let sorted = try #require(feature.sorted)
        #expect(quantiles.map(\.share) == expected.shares)
        for quantile in quantiles {
          let below = Double(sorted.count { $0 < quantile.value }) / Double(sorted.count)
          let upTo = Double(sorted.count { $0 <= quantile.value }) / Double(sorted.count)
          let error = max(0, below - quantile.share, quantile.share - upTo)
          #expect(error <= quantile.shareError, "\(group) \(name) \(quantile.share)")
          largest = max(largest, quantile.shareError)
        }
      }
    }
    #expect(largest < 0.25)
  }

  @Test func theDocumentIsTheSameOnAnyNumberOfLanes() async throws {
    let workflow = try StatisticsWorkflow(otherBins: .init(8), quantiles: [0.5])
    let one = try await Self.statistics(workflow, Self.executor(), lanes: 1)
    let three = try await Self.statistics(workflow, Self.executor(), lanes: 3)
    #expect(one == three)
    let histogram = try #require(one.global["benign"]?["mean area"]?.histogram)
    #expect(histogram.counts.count == 8 && histogram.below == 0 && histogram.above == 0)
    #expect(histogram.counts.reduce(0, +) == one.global["benign"]?["mean area"]?.count)
    // The same bins in both groups.
    #expect(histogram.edges == one.global["malignant"]?["mean area"]?.histogram?.edges)
  }

  @Test func featuresCanBeChosen() async throws {
    let statistics = try await Self.statistics(
      StatisticsWorkflow(features: ["mean area"]),
      Self.executor()
    )
    #expect(statistics.global["benign"]?.keys.sorted() == ["mean area"])
    #expect(statistics.global["benign"]?["mean area"]?.histogram == nil)
  }

  @Test func aSecretHidesTheSameRangeFromTheCoordinatorEachTime() async throws {
    let workflow = try StatisticsWorkflow()
    func low(_ noise: StatisticsNoise, seed: UInt64 = 1) async throws -> Double? {
      var simulation = Simulation(workflow: workflow, seed: seed)
      simulation.sites = Self.sites
      let state = try await simulation.run(
        Self.executor(noise: noise),
        from: WorkflowState(model: .empty)
      ).state
      return try state.document(FederatedStatistics.document, as: FederatedStatistics.self)?
        .sites["site-1"]?["benign"]?["mean area"]?.low
    }
    #expect(try await low(.secret(5)) == low(.secret(5), seed: 2))
    #expect(try await low(.secret(5)) != low(.secret(6)))
    #expect(try await low(.reproducible) == low(.reproducible))
    #expect(try await low(.reproducible) != low(.reproducible, seed: 2))
    #expect(StatisticsNoise.newSecret() != StatisticsNoise.newSecret())
  }
}

@Suite struct StatisticsRulesTests {
  private static func statistics(
    _ tables: [[String: [Double]]],
    rules: StatisticsRules = StatisticsRules(),
    bins: StatisticsWorkflow.Bins? = nil,
    quantiles: [Double] = []
  ) async throws -> FederatedStatistics {
    let sites = tables.enumerated().map { index, table in
      let rows = table.values.map(\.count).max() ?? 0
      return Site(index: index, name: "site-\(index + 1)", exampleCount: rows)
    }
    let executor = StatisticsExecutor(rules: rules, noise: .reproducible) { site in
      let columns = tables[site.index].sorted { $0.key < $1.key }
      return ["all": try DataTable(features: columns.map(\.key), columns: columns.map(\.value))]
    }
    return try await StatisticsTests.statistics(
      StatisticsWorkflow(otherBins: bins, quantiles: quantiles),
      executor,
      sites: sites
    )
  }

  private static let many = (0..<100).map(Double.init)

  @Test func aSiteWithTooFewValuesIsListedAndShowsNothing() async throws {
    let statistics = try await Self.statistics([["x": Self.many], ["x": [1, 2, 3]]])
    #expect(statistics.global["all"]?["x"]?.count == 100)
    #expect(statistics.sites.keys.sorted() == ["site-1"])
    #expect(statistics.missing.keys.sorted() == ["site-2"])
    #expect(statistics.missing["site-2"]?.hasSuffix("10 are needed") == true)
  }

  @Test func missingValuesDoNotCountTowardsTheMinimum() async throws {
    let sparse = Self.many.map { $0 < 9 ? $0 : .nan }
    let statistics = try await Self.statistics([["x": sparse, "y": Self.many]])
    #expect(statistics.global["all"]?.keys.sorted() == ["y"])
    // Nobody has asked for it by name.
    #expect(statistics.leftOut["site-1"]?.count == 1)
    #expect(statistics.leftOut["site-1"]?.first?.contains("whose names stay here") == true)
  }

  @Test func tooManyBinsForTheValuesAreRefused() async throws {
    let statistics = try await Self.statistics([["x": Self.many]], bins: .init(11))
    #expect(statistics.global["all"]?["x"]?.histogram == nil)
    #expect(statistics.global["all"]?["x"]?.variance != nil)
    let reason = "all, x: no histogram of 11 bins, of so few values 10 are allowed"
    #expect(statistics.leftOut["site-1"] == [reason])
    let allowed = try await Self.statistics([["x": Self.many]], bins: .init(10))
    #expect(allowed.global["all"]?["x"]?.histogram?.counts.count == 10)
  }

  @Test func binsOfFewValuesAreShownEmptyAndNotOneAlone() async throws {
    // 4 values in the first bin, 40, 50 and 6 in the next ones.
    let values = [(4, 0.5), (40, 1.5), (50, 2.5), (6, 3.5)].flatMap { count, value in
      [Double](repeating: value, count: count)
    }
    let statistics = try await Self.statistics(
      [["x": values]],
      bins: .init(4, from: 0, to: 4)
    )
    // The first is too small; so that its 4 do not follow from the 100, the 6 go as well.
    #expect(statistics.global["all"]?["x"]?.histogram?.counts == [0, 40, 50, 0])
  }

  @Test(arguments: [
    // Two bins of 2 and 1: their 3 values follow from the total, so the next is emptied too.
    ([2, 1, 40, 7, 50], [0, 0, 40, 0, 50]),
    // Two of 4 and 3 hide each other.
    ([4, 3, 40, 7, 50], [0, 0, 40, 7, 50]), ([0, 10, 0, 0, 90], [0, 10, 0, 0, 90]),
    ([0, 96, 0, 0, 4], [0, 0, 0, 0, 0]),
  ])
  func noSmallCountFollowsFromTheTotal(counts: [Int], shown: [Int]) async throws {
    let values = counts.enumerated().flatMap { bin, count in
      [Double](repeating: Double(bin) + 0.5, count: count)
    }
    let statistics = try await Self.statistics([["x": values]], bins: .init(5, from: 0, to: 5))
    #expect(statistics.global["all"]?["x"]?.histogram?.counts == shown)
  }

  @Test func noTrueEndAndNoSingleValueIsShown() async throws {
    let values = Self.many + [1000]
    let statistics = try await Self.statistics([["x": values]], quantiles: [0, 0.5, 1])
    let feature = try #require(statistics.global["all"]?["x"])
    let (low, high) = (try #require(feature.low), try #require(feature.high))
    #expect((-300 ... -100).contains(low) && (1100...1300).contains(high))
    #expect(feature.quantiles.allSatisfy { $0.value != 0 && $0.value != 1000 })
  }

  @Test func aFeatureOfOneValueHasAHistogram() async throws {
    let statistics = try await Self.statistics(
      [["x": [Double](repeating: 7, count: 50)]],
      bins: .init(4)
    )
    #expect(statistics.global["all"]?["x"]?.variance == 0)
    #expect(statistics.global["all"]?["x"]?.histogram?.counts.reduce(0, +) == 50)
  }

  @Test func withoutAnyAnswerTheRoundFails() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await Self.statistics([["x": [1]], ["x": [2]]])
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("site-2: it has too few values") == true)
  }

  @Test func answersThatCannotBeAreNotUsed() async throws {
    let lies: [[String: Double]] = [
      ["count": 1e300, "missing": 0, "sum": 1], ["count": 2.5, "missing": 0, "sum": 1],
      ["count": 10, "missing": -1, "sum": 1], ["count": 10, "missing": 0, "sum": .infinity],
      ["count": 10, "missing": 0], ["count": 10, "missing": 0, "sum": 1, "low": 2, "high": 1],
      ["count": 10, "missing": 1, "sum": 1], ["count": 11, "missing": 0, "sum": 1],
      ["count": 10, "missing": 0, "sum": 1, "low": 2, "high": 3],
    ]
    let sites = (0...lies.count).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }
    let honest = StatisticsExecutor(rules: StatisticsTests.open, noise: .reproducible) { _ in
      ["all": try DataTable(features: ["x"], columns: [[1, 2, 3]])]
    }
    let executor = Doing { task, site in
      guard site.site.index > 0 else { return try await honest.execute(task, at: site) }
      let part = Exchange(.statistics, metrics: lies[site.site.index - 1])
      return Exchange(.statistics, parts: ["all": Exchange(.statistics, parts: ["x": part])])
    }
    let statistics = try await StatisticsTests.statistics(
      StatisticsWorkflow(quantiles: [0.5]),
      executor,
      sites: sites
    )
    #expect(statistics.global["all"]?["x"]?.count == 3)
    #expect(statistics.missing.count == lies.count)
  }

  @Test func aHistogramOfMoreValuesThanWereCountedIsNotUsed() async throws {
    let honest = StatisticsExecutor(rules: StatisticsTests.open, noise: .reproducible) { _ in
      ["all": try DataTable(features: ["x"], columns: [[1, 2, 3]])]
    }
    let executor = Doing { task, site in
      var answer = try await honest.execute(task, at: site)
      if task.data.headers["phase"] == "spread", site.site.index == 1 {
        answer.parts["all"]?.parts["x"]?.tensors = try ModelState([
          (name: "histogram", tensor: Tensor([0.0, 1000, 0, 0]))
        ])
      }
      return answer
    }
    let sites = (0..<2).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 3) }
    let statistics = try await StatisticsTests.statistics(
      StatisticsWorkflow(otherBins: .init(2)),
      executor,
      sites: sites
    )
    #expect(statistics.missing["site-2"]?.contains("more values than its count") == true)
    #expect(statistics.global["all"]?["x"]?.histogram?.counts.reduce(0, +) == 3)
  }

  @Test func settingsThatMakeNoSenseAreRefused() {
    #expect(throws: FederationError.self) { try StatisticsWorkflow(otherBins: .init(0)) }
    #expect(throws: FederationError.self) {
      try StatisticsWorkflow(otherBins: .init(2, from: 1, to: 1))
    }
    #expect(throws: FederationError.self) { try StatisticsWorkflow(quantiles: [1.5]) }
    #expect(throws: FederationError.self) { try StatisticsWorkflow(quantiles: [.nan]) }
    #expect(throws: FederationError.self) { try StatisticsWorkflow(compression: 5) }
  }

  @Test func reportsShowStatisticsAndMatrices() async throws {
    let statistics = try await Self.statistics(
      [["<x>": Self.many], ["<x>": Self.many.map { $0 / 2 }], ["<x>": [1]]],
      bins: .init(10),
      quantiles: [0.5]
    )
    let matrix = CrossSiteMatrix(
      models: ["global model", "site-1"],
      sites: ["site-1", "site-2"],
      cells: [
        [CrossSiteMatrix.Cell(metrics: ["accuracy": 0.875], samples: 3), nil],
        [CrossSiteMatrix.Cell(metrics: ["accuracy": 0.5, "loss": 2], samples: 3), nil],
      ],
      withoutModel: ["site-2": "it failed"]
    )
    let html = ReportPage(
      title: "t",
      subtitle: "s",
      figures: [],
      sections: [.init(statistics), .init(matrix)]
    ).html
    for part in ["&lt;x&gt;", "87.5", "site-2", "it has too few values", "global model", "–"] {
      #expect(html.contains(part), "\(part)")
    }
    #expect(!html.contains("<x>") && !html.contains("nan"))
  }
}
