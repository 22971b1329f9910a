import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// The updates that `Fixtures/make_rules.py` drew, and what NumPy made of them.
private struct Fixture {
  static let sites = (0..<11).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 9) }
  static let names = ["weight", "bias", "steps"]
  let file: SafeTensors

  init() throws {
    let tests = FilePath(#filePath).removingLastComponent().removingLastComponent()
    file = try SafeTensors(contentsOf: tests.appending("Fixtures").appending("rules.safetensors"))
  }

  func state(_ prefix: String) throws -> ModelState {
    try ModelState(Self.names.map { (name: $0, tensor: try file.tensor("\(prefix).\($0)")) })
  }

  func model() throws -> ModelState { try state("model") }

  /// Which tensors a site leaves out.
  static func excluded(_ scenario: String, _ site: Int) -> [String] {
    switch scenario {
    case "partial": [2, 6].contains(site) ? ["bias"] : [0, 5].contains(site) ? ["steps"] : []
    case "few": site == 4 ? [] : ["bias"]
    default: []
    }
  }

  /// A site's update, every third as a difference.
  func update(_ site: Int, _ scenario: String = "all") throws -> Exchange {
    let weight = try file.tensor("weights").slice(at: site).item()
    let excluded = Self.excluded(scenario, site)
    let sent = try ModelState(
      state("update.\(site)").entries.filter { !excluded.contains($0.name) }
    )
    let model = try model()
    var update: Exchange
    if site % 3 == 1 {
      let difference = try sent.mapTensors { try $1 - #require(model[$0]) }
      update = .difference(difference, weight: weight)
    } else {
      update = .weights(sent, weight: weight)
    }
    update.metadata.excluded = excluded
    return update
  }
}

/// A rule with settings that make it read small chunks, some updates from memory and some from files.
private func spooling(
  _ rule: some CollectiveRule,
  _ settings: CollectiveSettings
) -> any AggregationRule {
  func set<Rule: AggregationRule>(
    _ rule: Rule,
    _ key: WritableKeyPath<Rule, CollectiveSettings>
  )
    -> any AggregationRule
  {
    var rule = rule
    rule[keyPath: key] = settings
    return rule
  }
  return switch rule {
  case let rule as CoordinateMedian: set(rule, \.settings)
  case let rule as TrimmedMean: set(rule, \.settings)
  case let rule as Krum: set(rule, \.settings)
  case let rule as Bulyan: set(rule, \.settings)
  case let rule as GeometricMedian: set(rule, \.settings)
  default: rule
  }
}

private func rules(_ settings: CollectiveSettings) throws -> [String: any AggregationRule] {
  [
    "median": spooling(CoordinateMedian(), settings),
    "trimmedMean": spooling(try TrimmedMean(0.2), settings),
    "krum": spooling(try Krum(byzantine: 2), settings),
    "multiKrum": spooling(try Krum(byzantine: 2, keeping: 5), settings),
    "bulyan": spooling(try Bulyan(byzantine: 2), settings),
    "geometricMedian": spooling(try GeometricMedian(), settings),
    "normBound": try NormBound(.fixed(1.5)),
  ]
}

@Suite struct CollectiveRuleTests {
  @Test(
    arguments: [
      "median", "trimmedMean", "krum", "multiKrum", "bulyan", "geometricMedian", "normBound",
    ],
    ["all", "partial", "few"]
  )
  func everyRuleComputesWhatNumPyDoes(rule: String, scenario: String) throws {
    let fixture = try Fixture()
    // 11 rows of 4 bytes: 3, 13 and 35 elements do not come out even at 4 a chunk. One update stays in memory.
    for chunk in [1, 200, 1 << 20] {
      let settings = CollectiveSettings(memory: 300, chunk: chunk)
      let chosen = try #require(try rules(settings)[rule])
      let round = AggregationRound(reference: try fixture.model(), sites: Fixture.sites)
      for order in [Array(0..<11), [7, 3, 10, 0, 5, 8, 1, 9, 2, 6, 4]] {
        var aggregation = try chosen.begin(round)
        for site in order {
          let update = try fixture.update(site, scenario)
          #expect(
            try aggregation.fold(update, from: Fixture.sites[site]) == update.metadata.weight
          )
        }
        let result = try aggregation.result()
        #expect(result.kind == .weights)
        #expect(result.tensors.names == Fixture.names)
        for name in Fixture.names {
          let expected = try fixture.file.tensor("\(scenario).\(rule).\(name)")
          let found = try #require(result.tensors[name])
          #expect(try found.dtype == fixture.model()[name]?.dtype)
          expectClose(found, expected, absolute: 1e-6, relative: 1e-6, "\(name), chunk \(chunk)")
        }
      }
    }
  }

  @Test func sortingIsThatOfAnyNumberOfValues() throws {
    let generator = try Generator(seed: 5)
    for count in 1...40 {
      let model = try ModelState([(name: "a", tensor: Tensor.zeros([3, 101]))])
      let sites = (0..<count).map { Site(index: $0, name: "site-\($0)", exampleCount: 1) }
      var aggregation = try CoordinateMedian()
        .begin(AggregationRound(reference: model, sites: sites))
      var values: [Tensor] = []
      for site in sites {
        // Few different values, so that many are equal.
        let drawn = try (Tensor.normal([3, 101], using: generator) * 3).rounded()
        values.append(drawn)
        let update = Exchange.weights(try ModelState([(name: "a", tensor: drawn)]))
        _ = try aggregation.fold(update, from: site)
      }
      let sorted = try stack(values).sorted(along: 0).values
      let expected = try (sorted.slice(at: (count - 1) / 2) + sorted.slice(at: count / 2)) / 2
      let found = try #require(try aggregation.result().tensors["a"])
      #expect(try found.isIdentical(to: expected), "\(count) updates")
    }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity])
  func anUpdateThatIsNotFiniteIsRefusedByNameAndLeavesNoTrace(bad: Float) throws {
    let fixture = try Fixture()
    for (name, rule) in try rules(CollectiveSettings(memory: 0)) {
      var aggregation = try rule.begin(
        AggregationRound(reference: fixture.model(), sites: Fixture.sites)
      )
      for site in 0..<11 {
        _ = try aggregation.fold(fixture.update(site), from: Fixture.sites[site])
      }
      let stranger = Site(index: 20, name: "site-21", exampleCount: 5)
      for isDifference in [false, true] {
        let state = try fixture.state("update.0").mapTensors { name, tensor in
          name == "weight" ? try tensor * 0 + Double(bad) : tensor
        }
        let update = isDifference ? Exchange.difference(state) : .weights(state)
        let error = #expect(throws: FederationError.self, "\(name)") {
          try aggregation.fold(update, from: stranger)
        }
        #expect(error?.code == .rejectedUpdate)
        #expect(error?.message.hasPrefix("site-21: tensor 'weight'") == true)
      }
      let result = try aggregation.result().tensors
      for tensor in Fixture.names {
        let expected = try fixture.file.tensor("all.\(name).\(tensor)")
        expectClose(try #require(result[tensor]), expected, relative: 1e-6, name)
      }
    }
  }

  @Test func aDifferenceThatLeavesTheRangeOfItsTypeIsRefused() throws {
    let model = try ModelState([(name: "a", tensor: Tensor([3e38] as [Float]))])
    let site = Site(index: 0, name: "site-1", exampleCount: 1)
    var aggregation = try CoordinateMedian().begin(
      AggregationRound(reference: model, sites: [site])
    )
    let error = #expect(throws: FederationError.self) {
      try aggregation.fold(.difference(model), from: site)
    }
    #expect(error?.message.contains("tensor 'a'") == true)
    #expect(error?.message.contains("e+38") == false)
  }

  @Test func whatDoesNotFitTheModelIsRefused() throws {
    let fixture = try Fixture()
    let site = Fixture.sites[0]
    var aggregation = try CoordinateMedian().begin(
      AggregationRound(reference: fixture.model(), sites: [site])
    )
    let good = try fixture.update(0)
    var missing = good
    missing.tensors = try ModelState(Array(good.tensors.entries.dropLast()))
    var shaped = good
    shaped.tensors = try good.tensors.mapTensors { try $1.reshaped(to: [-1]) }
    var heavy = good
    heavy.metadata.weight = 10
    for bad in [missing, shaped, heavy, .metrics(["loss": 1])] {
      let error = #expect(throws: FederationError.self) { try aggregation.fold(bad, from: site) }
      #expect(error?.message.hasPrefix("site-1: ") == true)
    }
    _ = try aggregation.fold(good, from: site)
    #expect(throws: FederationError.self, "twice") { try aggregation.fold(good, from: site) }
  }

  @Test(arguments: [
    ("krum", 7), ("multiKrum", 9), ("bulyan", 11), ("trimmedMean", 5), ("median", 1),
    ("geometricMedian", 1),
  ])
  func tooFewUpdatesForTheRuleAreSaidInNumbers(rule: String, needed: Int) throws {
    let fixture = try Fixture()
    let settings = CollectiveSettings(memory: 0)
    let chosen = try #require(try rules(settings)[rule])
    let round = AggregationRound(reference: try fixture.model(), sites: Fixture.sites)
    func result(of count: Int) throws -> Exchange {
      var aggregation = try chosen.begin(round)
      for site in 0..<count {
        _ = try aggregation.fold(fixture.update(site), from: Fixture.sites[site])
      }
      return try aggregation.result()
    }
    let error = #expect(throws: FederationError.self) { try result(of: needed - 1) }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("needs \(needed) updates, and has \(needed - 1)") == true)
    #expect(throws: Never.self) { try result(of: needed) }
  }

  @Test func anUpdateThatIsTakenBackIsForgotten() throws {
    let fixture = try Fixture()
    for (name, rule) in try rules(CollectiveSettings(memory: 500)) {
      let round = AggregationRound(
        reference: try fixture.model(),
        sites: Fixture.sites + [Site(index: 11, name: "site-12", exampleCount: 9)]
      )
      var aggregation = try rule.begin(round)
      for site in 0..<11 {
        if site == 6 {
          for (kind, other) in [try fixture.update(1), try fixture.update(3)].enumerated() {
            let late = Site(index: 11, name: "site-12", exampleCount: 9)
            let weight = try aggregation.fold(other, from: late)
            try aggregation.takeBack(other, weight: weight, from: late)
            #expect(weight == other.metadata.weight, "\(kind)")
          }
        }
        _ = try aggregation.fold(fixture.update(site), from: Fixture.sites[site])
      }
      let result = try aggregation.result().tensors
      for tensor in Fixture.names {
        let expected = try fixture.file.tensor("all.\(name).\(tensor)")
        expectClose(try #require(result[tensor]), expected, relative: 1e-6, name)
      }
    }
  }

  @Test func settingsThatMakeNoSenseAreRefused() {
    for make: () throws -> any AggregationRule in [
      { try .trimmedMean(0.5) }, { try .trimmedMean(-0.1) }, { try .trimmedMean(.nan) },
      { try .krum(byzantine: -1) }, { try .krum(byzantine: .max) },
      { try .multiKrum(byzantine: 1, keeping: 0) }, { try .bulyan(byzantine: -1) },
      { try .bulyan(byzantine: .max) }, { try .geometricMedian(smoothing: 0) },
      { try .geometricMedian(steps: 0) }, { try .geometricMedian(tolerance: .nan) },
      { try .normBound(0) }, { try .normBound(.infinity) },
      { try .normBound(timesNormOfModel: -1) },
    ] {
      let error = #expect(throws: FederationError.self) { try make() }
      #expect(error?.code == .invalidConfiguration)
    }
  }

  @Test func aBoundRelativeToTheModelIsThatMultipleOfItsNorm() throws {
    let model = try ModelState([(name: "a", tensor: Tensor([3.0, 4]))])
    let site = Site(index: 0, name: "site-1", exampleCount: 1)
    let round = AggregationRound(reference: model, sites: [site])
    var aggregation = try NormBound(.timesNormOfModel(0.2)).begin(round)
    let update = Exchange.difference(try ModelState([(name: "a", tensor: Tensor([0.0, 10]))]))
    _ = try aggregation.fold(update, from: site)
    expectClose(try #require(try aggregation.result().tensors["a"]), [3, 5], absolute: 1e-12)

    let zeros = try model.mapTensors { _, tensor in try Tensor.zeros(like: tensor) }
    #expect(throws: FederationError.self) {
      try NormBound(.timesNormOfModel(0.2)).begin(
        AggregationRound(reference: zeros, sites: [site])
      )
    }
  }

  @Test func theGeometricMedianHasNoBetterNeighbour() throws {
    let generator = try Generator(seed: 2)
    let sites = (0..<7).map { Site(index: $0, name: "site-\($0)", exampleCount: 1 + $0) }
    let model = try ModelState([(name: "a", tensor: Tensor.zeros([6], dtype: .float64))])
    let points = try sites.map { _ in try Tensor.normal([6], dtype: .float64, using: generator) }
    var aggregation = try GeometricMedian(steps: 10_000, tolerance: 0)
      .begin(AggregationRound(reference: model, sites: sites))
    for (site, point) in zip(sites, points) {
      _ = try aggregation.fold(.weights(ModelState([(name: "a", tensor: point)])), from: site)
    }
    let median = try #require(try aggregation.result().tensors["a"])
    func cost(_ place: Tensor) throws -> Double {
      try zip(sites, points).reduce(0) { sum, next in
        sum + Double(next.0.exampleCount) * (try (place - next.1).norm().item())
      }
    }
    let least = try cost(median)
    for _ in 0..<50 {
      let neighbour =
        try median + Tensor.normal([6], deviation: 1e-3, dtype: .float64, using: generator)
      #expect(try cost(neighbour) > least)
    }
  }
}
