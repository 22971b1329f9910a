import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What a job's keys say together.
@Suite struct JobRuleTests {
  private static func job(
    _ workflow: String = "{type: fedavg, rounds: 3}",
    executor: String = "{type: classifier, batch: 8}",
    rest: String = ""
  ) -> String {
    """
    name: small
    workflow: \(workflow)
    model: linear
    executor: \(executor)
    sites: 4
    \(rest)

    """
  }

  /// What is wrong, by where it is and what is said of it.
  private func problems(_ job: String, data: String = JobFolder.data) throws -> [String] {
    let folder = try JobFolder(job, data: data)
    let error = #expect(throws: ConfigurationError.self) { try folder.run() }
    return (error?.problems ?? []).map { problem in
      let line = problem.position.map { "\($0.line)" } ?? "?"
      return
        "\(problem.file.lastComponent?.string ?? ""):\(line): \(problem.keyPath): \(problem.message)"
    }
  }

  private func expectOne(
    _ job: String,
    data: String = JobFolder.data,
    _ place: String,
    _ text: String
  ) throws {
    let problems = try problems(job, data: data)
    #expect(problems.count == 1, "\(problems)")
    let problem = try #require(problems.first)
    #expect(problem.hasPrefix(place) && problem.contains(text), "\(problem)")
  }

  @Test func whatIsRightPasses() throws {
    for job in [
      Self.job(), Self.job("{type: swarm, rounds: 2, aggregators: [site-1, site-4]}"),
      Self.job("{type: scaffold, rounds: 2}", executor: "{type: classifier, algorithm: scaffold}"),
      Self.job(
        rest: """
          filters:
            site: {results: [clip-norm, top-k, {type: quantize, format: int8}]}
            server: {results: [dequantize, densify]}
          """
      ),
      Self.job(rest: "encryption: ckks"),
      Self.job("{type: fedavg, rounds: 3, secure_aggregation: {}}"),
      """
      name: chain
      workflows: [{type: fedavg, rounds: 1}, cross-site-evaluation, global-evaluation]
      model: linear
      executor: classifier
      sites: 4
      """,
    ] { _ = try JobFolder(job).run() }
  }

  private static func mean(_ type: String, _ rest: String, clip: String = "fixed") -> String {
    let rule = "{type: gaussian-mean, clip_norm: 1, noise_multiplier: 1, clip: \(clip)}"
    return "{type: \(type), rounds: 2, aggregation: \(rule)\(rest)}"
  }

  @Test func secretDrawsThatNothingWouldComeOf() throws {
    _ = try JobFolder(Self.job(Self.mean("fedavg", ", sampling: poisson"))).run()
    for (workflow, reason) in [
      ("{type: fedavg, rounds: 2, sampling: poisson}", "makes nothing private"),
      ("{type: fedavg, rounds: 2, sampling: without-replacement, aggregation: median}", "private"),
      ("{type: fedavg, rounds: 2, sampling: poisson, secure_aggregation: {}}", "are known"),
    ] {
      try expectOne(Self.job(workflow), "job.yml:2: workflow.sampling:", reason)
    }
  }

  @Test(arguments: ["scaffold", "fednova"])
  func clippingThatWouldNeverAdapt(_ type: String) throws {
    let executor = "{type: classifier, algorithm: \(type)}"
    _ = try JobFolder(Self.job(Self.mean(type, ""), executor: executor)).run()
    let workflow = Self.mean(type, "", clip: "adaptive")
    try expectOne(
      Self.job(workflow, executor: executor),
      "job.yml:2: workflow.aggregation:",
      "in '\(type)' the norm would never adapt"
    )
  }

  @Test func sitesThatAreNotThere() throws {
    try expectOne(
      Self.job(rest: "mandatory_sites: [site-1, site-5]"),
      "job.yml:6: mandatory_sites:",
      "there is no site 'site-5' among the sites; did you mean 'site-1'?"
    )
    try expectOne(
      Self.job("{type: swarm, rounds: 2, aggregators: [site-9]}"),
      "job.yml:2: workflow.aggregators:",
      "'site-9'"
    )
    try expectOne(
      Self.job("{type: initial-weights, site: site-01}"),
      "job.yml:2: workflow.site:",
      "'site-01'"
    )
  }

  @Test func moreSitesThanThereAreOrAreAsked() throws {
    try expectOne(Self.job(rest: "minimum_sites: 5"), "job.yml:6: minimum_sites:", "the 4 sites")
    try expectOne(
      Self.job("{type: fedavg, rounds: 3, fraction: 0.5}", rest: "minimum_sites: 3"),
      "job.yml:6: minimum_sites:",
      "the 2 sites that 'workflow' asks"
    )
    try expectOne(
      Self.job("{type: fedavg, rounds: 3, fraction: 0.5}", rest: "mandatory_sites: [site-1]"),
      "job.yml:2: workflow.fraction:",
      "must be 1"
    )
    try expectOne(
      Self.job("{type: fedbuff, rounds: 3, concurrency: 5}"),
      "job.yml:2: workflow.concurrency:",
      "the 4 sites"
    )
    try expectOne(
      Self.job("{type: fedavg, rounds: 3, aggregation: {type: krum, byzantine: 1}}"),
      "job.yml:2: workflow.aggregation:",
      "needs 5 updates"
    )
    let without = Self.job().replacingOccurrences(of: "sites: 4\n", with: "")
    try expectOne(without, "job.yml:1: sites:", "how many sites share it")
  }

  @Test(arguments: [
    ("{site: {results: [quantize]}}", "filters.site.results[0]", "'dequantize' among the server's"),
    ("{site: {results: [top-k]}}", "filters.site.results[0]", "'densify' among the server's"),
    ("{server: {results: [dequantize]}}", "filters.server.results[0]", "no 'quantize' before it"),
    ("{server: {tasks: [quantize]}}", "filters.server.tasks[0]", "'dequantize' among the sites'"),
    (
      "{site: {results: [top-k, clip-norm]}, server: {results: [densify]}}",
      "filters.site.results[1]", "'top-k' (filters.site.results[0]) has coded them"
    ),
    (
      "{site: {results: [quantize, gaussian-noise]}, server: {results: [dequantize]}}",
      "filters.site.results[1]", "'quantize'"
    ),
    (
      "{site: {results: [top-k, quantize]}, server: {results: [densify, dequantize]}}",
      "filters.server.results[0]", "must come after 'dequantize'"
    ),
    ("{server: {tasks: [clip-norm]}}", "filters.server.tasks[0]", "which a task has not"),
    (
      "{site: {results: [quantize, {type: quantize, format: float16}]}, server: {results: [dequantize]}}",
      "filters.site.results[1]", "once is enough"
    ),
    (
      "{site: {results: [{type: exclude-tensors, names: [1.wieght]}]}}",
      "filters.site.results[0].names", "no tensor is called '1.wieght'"
    ),
  ])
  func filtersThatCannotStandThere(_ filters: String, _ place: String, _ text: String) throws {
    try expectOne(Self.job(rest: "filters: \(filters)"), "job.yml:6: \(place):", text)
  }

  @Test(arguments: [
    ("{type: scaffold, rounds: 2}", "classifier", "workflow:", "needs the executor's algorithm"),
    ("{type: fednova, rounds: 2}", "classifier", "workflow:", "algorithm 'fednova'"),
    (
      "{type: fedavg, rounds: 2}", "{type: classifier, algorithm: scaffold}",
      "executor.algorithm:", "needs the workflow 'scaffold'"
    ),
    ("statistics", "classifier", "workflow:", "asks for 'statistics'"),
    ("{type: fedavg, rounds: 2}", "statistics", "", "asks for 'train'"),
    ("cross-site-evaluation", "classifier", "workflow:", "needs a workflow before it"),
    (
      "{type: fedavg, rounds: 2}",
      "{type: classifier, algorithm: {type: fedbn, names: ['*.runningMean']}}",
      "executor.algorithm.names:", "no tensor is called"
    ),
  ])
  func partsThatDoNotFit(
    _ workflow: String,
    _ executor: String,
    _ place: String,
    _ text: String
  ) throws {
    let problems = try problems(Self.job(workflow, executor: executor))
    #expect(problems.contains { $0.contains(": \(place)") && $0.contains(text) }, "\(problems)")
  }

  @Test func modelsAreNotMeasuredOnWhatTheyWereTrainedOn() throws {
    func chain(_ executor: String) -> String {
      """
      name: chain
      workflows: [{type: fedavg, rounds: 1}, cross-site-evaluation]
      model: linear
      executor: {type: classifier, \(executor)}
      sites: 4
      """
    }
    try expectOne(chain("holdout: 0"), "job.yml:4: executor.holdout:", "must be above 0")
    try expectOne(
      chain("keeps_local_model: false"),
      "job.yml:4: executor.keeps_local_model:",
      "must be true"
    )
  }

  @Test(arguments: [
    (
      "{type: fedavg, rounds: 3, aggregation: median}", "encryption: ckks", "encryption",
      "CoordinateMedian"
    ),
    (
      "{type: fedavg, rounds: 3, server_optimizer: adam}", "encryption: ckks",
      "encryption", "server_optimizer"
    ),
    (
      "{type: fedavg, rounds: 3, secure_aggregation: {}}", "encryption: ckks",
      "encryption", "secure_aggregation"
    ),
    ("{type: cyclic, rounds: 3}", "encryption: ckks", "encryption", "cyclic"),
    (
      "{type: fedavg, rounds: 3, secure_aggregation: {}, aggregation: median}", "",
      "workflow.aggregation", "gives a weighted mean"
    ),
    (
      "{type: fedavg, rounds: 3}",
      "privacy: {epsilon: 1, delta: 1e-5}\nfilters: {site: {results: [gaussian-noise]}}",
      "filters.site.results[0]", "'clip-norm'"
    ),
    (
      "{type: fedavg, rounds: 3}",
      "privacy: {epsilon: 1, delta: 0}\nfilters: {site: {results: [{type: clip-norm, measure: l1}, {type: laplace-noise, epsilon: 2, sensitivity: 2}]}}",
      "privacy", "too small for a single round"
    ),
    (
      "{type: fedavg, rounds: 3, aggregation: {type: gaussian-mean, clip_norm: 1, noise_multiplier: 0.1}}",
      "privacy: {epsilon: 1, delta: 1e-5}", "privacy", "too small for a single round"
    ),
  ])
  func protectionThatCannotBe(
    _ workflow: String,
    _ rest: String,
    _ keyPath: String,
    _ text: String
  ) throws {
    let problems = try problems(Self.job(workflow, rest: rest))
    #expect(problems.count == 1, "\(problems)")
    #expect(
      problems.first?.contains(": \(keyPath): ") == true && problems.first?.contains(text) == true,
      "\(problems)"
    )
  }

  @Test func allThatIsWrongInBothFilesIsReportedTogether() throws {
    let job = """
      name: Small
      seed: -1
      workflow: {type: fedavg, rounds: 0, fractoin: 1}
      model: lineer
      executor: {type: classifier, epochs: 0, batch: 1e9, learning_rate: {first: -1}}
      sites: 4
      minimum_sites: 9
      mandatory_sites: [site-7]
      filters: {site: {results: [quantize]}}
      colour: red
      """
    let problems = try problems(
      job,
      data: "images: nowhere\npartition: {type: dirichlet, alpha: 0}\n"
    )
    let expected = [
      "job.yml:1: name:", "job.yml:2: seed:", "job.yml:3: workflow.rounds:", "job.yml:3: workflow:",
      "job.yml:4: model:", "job.yml:5: executor.epochs:", "job.yml:5: executor.batch:",
      "job.yml:5: executor.learning_rate.first:", "job.yml:7: minimum_sites:",
      "job.yml:8: mandatory_sites:", "job.yml:9: filters.site.results[0]:", "job.yml:10: :",
      "data.yml:1: images:", "data.yml:2: partition.alpha:",
    ]
    #expect(problems.count == expected.count, "\(problems.joined(separator: "\n"))")
    for (problem, place) in zip(problems, expected) {
      #expect(problem.hasPrefix(place), "\(problem)")
    }
  }

  @Test func namesOfSitesStayWhereTheyAre() throws {
    let job = """
      name: tables
      workflow: statistics
      executor: statistics
      """
    for (name, text) in [
      ("../x", "must be of letters"), ("/etc", "without U+002F"), ("", "must not be empty"),
      (".", "must begin with"), ("..", "must begin with"), ("-rf", "must begin with"),
      ("a\\u0007b", "U+0007"), ("a\\u202eb", "U+202E"), ("north.", "must not end"),
      ("job", "stands for others"),
      (String(repeating: "x", count: 65), "at most 64"), ("a\\\\b", "U+005C"), ("a  b", "in a row"),
    ] {
      try expectOne(
        job,
        data: "tables:\n  south: data.yml\n  \"\(name)\": data.yml\n",
        "data.yml:3: tables:",
        text
      )
    }
  }
}

@Suite struct SiteNameTests {
  @Test func namesOfAnyScriptAreFine() throws {
    for name in [
      "a", "site-1", "Süd", "北", "St. Mary 2", "r2_d2", String(repeating: "x", count: 64),
    ] {
      try Site.checkName(name)
    }
  }

  @Test func sitesMustDifferByMoreThanHowTheyAreWritten() {
    func complaint(_ names: [String]) -> String {
      let sites = names.enumerated().map { Site(index: $0, name: $1, exampleCount: 1) }
      let error = #expect(throws: FederationError.self) { try Site.check(sites) }
      return error?.message ?? ""
    }
    #expect(complaint(["north", "North"]).contains("two sites"))
    // The same letter, composed and decomposed.
    #expect(complaint(["S\u{FC}d", "Su\u{308}d"]).contains("two sites"))
    #expect(complaint(["a", "../b"]).contains("U+002F"))
    #expect(complaint(["a", ""]).contains("empty"))
  }

  @Test func aFederationRefusesThemBeforeItBegins() async throws {
    struct Idle: Executor {
      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange { task.data }
    }
    let sites = [Site(index: 0, name: "../../etc", exampleCount: 1)]
    let federation = Federation(
      workflow: try FedAvg(rounds: 1),
      transport: InProcessTransport(sites: sites, executor: Idle(), pool: LanePool(lanes: 1)),
      key: RandomKey(seed: 1)
    )
    let initial = WorkflowState(model: try ModelState([(name: "x", tensor: try Tensor([0.0]))]))
    let error = await #expect(throws: FederationError.self) {
      _ = try await federation.run(from: initial)
    }
    #expect(error?.code == .invalidConfiguration)
  }
}
