import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

@Suite struct JobPrivacyTests {
  private static func job(
    workflow: String = "{type: fedavg, rounds: 3}",
    executor: String = "{type: classifier, batch: 8}",
    rest: String
  ) -> String {
    """
    name: private
    workflow: \(workflow)
    model: linear
    executor: \(executor)
    sites: 4
    \(rest)

    """
  }

  private static let mean =
    "{type: fedavg, rounds: 3, aggregation: {type: gaussian-mean, clip_norm: 1, noise_multiplier: 4}}"
  private static let laplace = """
    filters:
      site:
        results: [{type: clip-norm, measure: l1}, {type: laplace-noise, sensitivity: 2}]
    """

  private func epsilons(_ job: String) async throws -> [[String: Double]] {
    let folder = try JobFolder(job)
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    return try await run.run(in: record).trainings[0].rounds.map(\.epsilon)
  }

  @Test func whatEachSiteHasSpentIsInTheRecord() async throws {
    let spent = try await epsilons(
      Self.job(rest: "\(Self.laplace)\nprivacy: {epsilon: 3, delta: 0}")
    )
    let names = try #require(spent.first?.keys.sorted())
    #expect(names.count == 4)
    #expect(
      spent
        == (1...3).map { round in
          Dictionary(uniqueKeysWithValues: names.map { ($0, Double(round)) })
        }
    )
  }

  @Test func whatTheJobHasSpentIsInTheRecord() async throws {
    let rest = "privacy: {epsilon: 8, delta: 1e-5, accountant: pld}"
    let spent = try await epsilons(Self.job(workflow: Self.mean, rest: rest))
    let expected = try (1...3).map { rounds in
      var accountant = PLDAccountant()
      try accountant.compose(.gaussian(noiseMultiplier: 4), count: rounds)
      return ["job": try accountant.epsilon(delta: 1e-5)]
    }
    #expect(spent == expected)
  }

  @Test func privateTrainingEndsWhenTheBudgetsAreSpent() async throws {
    let executor =
      "{type: classifier, batch: 8, private_sgd: {clip_norm: 1, noise_multiplier: 2}}"
    let spent = try await epsilons(
      Self.job(executor: executor, rest: "privacy: {epsilon: 1000, delta: 1e-5}")
    )
    for name in try #require(spent.first?.keys) {
      let each = try spent.map { try #require($0[name]) }
      #expect(each[0] > 0 && each[0] < each[1] && each[1] < each[2])
    }
    let error = await #expect(throws: FederationError.self) {
      try await epsilons(
        Self.job(executor: executor, rest: "privacy: {epsilon: 0.01, delta: 1e-5}")
      )
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("its privacy budget does not allow this answer") == true)
  }

  @Test(arguments: ["secret", "seed"])
  func aRunGoesOnAndIsVerifiedWithTheNoiseThatItBeganWith(_ noise: String) async throws {
    let executor =
      "{type: classifier, batch: 8, private_sgd: {clip_norm: 1, noise_multiplier: 2}}"
    let rest = "privacy: {epsilon: 1000, delta: 1e-5, noise: \(noise)}"
    // Noise of the sites and of the server.
    let folder = try JobFolder(Self.job(workflow: Self.mean, executor: executor, rest: rest))
    func record(_ name: String) throws -> RunRecord {
      let run = try folder.run()
      let record = try RunRecord.create(at: folder.folder.path.appending(name), run.newManifest())
      try run.job.write(to: record)
      return record
    }
    func models(_ manifest: RunManifest) -> [String] { manifest.trainings[0].rounds.map(\.model) }
    let whole = try record("whole")
    let undisturbed = try await folder.run().run(in: whole)
    #expect(undisturbed.configuration["noise"]?.contains(noise) == true)
    #expect(undisturbed.configuration["withheld"]?.contains("training") == true)
    let file = whole.folder.appending(NoiseOrigin.fileName)
    if noise == "secret" {
      let mode = try FileManager.default.attributesOfItem(atPath: file.string)[.posixPermissions]
      #expect(mode as? Int == 0o600)
    } else {
      #expect(!FileManager.default.fileExists(atPath: file.string))
    }

    let broken = try record("broken")
    struct Stop: Error {}
    await #expect(throws: Stop.self) {
      try await folder.run().run(
        in: broken,
        checkRound: { if $0.roundCount == 1 { throw Stop() } }
      )
    }
    let again = try JobRun(Job(recordedIn: broken, broken.manifest()), lanes: 1)
    let manifest = try await again.run(in: broken)
    #expect((models(manifest) == models(undisturbed)) == (noise == "seed"))
    #expect(manifest.trainings[0].rounds.map(\.epsilon.count) == [5, 5, 5])
    #expect(
      manifest.trainings[0].rounds.last?.epsilon == undisturbed.trainings[0].rounds.last?.epsilon
    )
    for finished in [whole, broken] {
      let recorded = try JobRun(Job(recordedIn: finished, finished.manifest()))
      #expect(try await recorded.verify(finished) == nil)
    }
    guard noise == "secret" else { return }
    try Data("abc\n".utf8).write(to: URL(filePath: file.string))
    expectRefusal(.cannotResume, naming: "noise.secret") {
      _ = try Job(recordedIn: whole, whole.manifest())
    }
    try FileManager.default.removeItem(atPath: file.string)
    let error = #expect(throws: RunError.self) { try Job(recordedIn: whole, whole.manifest()) }
    #expect(error?.message.contains("noise.secret") == true)
  }

  @Test func aLinkThatAKillLeftOfTheSecretIsTakenAway() throws {
    let folder = try TemporaryFolder()
    let file = folder.path.appending(NoiseOrigin.fileName)
    let secret = HeldSecret()
    try secret.write(to: file)
    let other = folder.path.appending(".\(NoiseOrigin.fileName).partial").string
    try FileManager.default.linkItem(atPath: file.string, toPath: other)
    #expect(try HeldSecret.read(at: file) == secret)
    #expect(!FileManager.default.fileExists(atPath: other))
    #expect(FileManager.default.fileExists(atPath: file.string))
  }

  @Test(arguments: ["fixed", "poisson"])
  func theReportOfASecretDrawDoesNotSayWhoTookPart(_ sampling: String) async throws {
    let workflow = Self.mean.replacing("rounds: 3", with: "rounds: 1, sampling: \(sampling)")
    let folder = try JobFolder(
      Self.job(workflow: workflow, rest: "privacy: {epsilon: 8, delta: 1e-5, accountant: pld}")
    )
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    let manifest = try await run.run(in: record)
    let page = ReportPage(manifest, of: record, folder: "run").html
    #expect(page.contains("share of the weight") == (sampling == "fixed"))
    #expect(page.contains("The draw of the sites is secret") == (sampling == "poisson"))
  }

  @Test func aStateWithoutItsLedgerIsNotGoneOnFrom() async throws {
    let rest = "privacy: {epsilon: 8, delta: 1e-5}"
    let folder = try JobFolder(Self.job(workflow: Self.mean, rest: rest))
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    struct Stop: Error {}
    await #expect(throws: Stop.self) {
      try await run.run(in: record, checkRound: { if $0.roundCount == 1 { throw Stop() } })
    }
    let file = record.folder.appending("state-private-1.safetensors")
    let state = try WorkflowState(contentsOf: file)
    let ledger = try #require(state.documents[WorkflowState.privacyLedgerName])
    for other in [nil, ledger.replacing("\"round\":1", with: "\"round\":2")] {
      #expect(other != ledger)
      var changed = state
      changed.documents[WorkflowState.privacyLedgerName] = other
      try changed.write(to: file)
      let error = await #expect(throws: RunError.self) { try await run.run(in: record) }
      #expect(error?.code == .cannotResume)
      #expect(error?.message.contains("state-private-1.safetensors") == true)
    }
    try state.write(to: file)
    #expect(try await run.run(in: record).status == .finished)
  }

  /// A site whose answers the filters make private, and who has nothing to train.
  private struct Answering: Executor {
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      if task.name == .initialize {
        site.declareFreeOfData()
        return .weights(try ModelState([(name: "mean", tensor: Tensor([0.0]))]), samples: 1)
      }
      return .weights(task.model, samples: 1)
    }
  }

  @Test func ofVeryManySitesTheOneThatHasSpentMostIsInTheRecord() async throws {
    let names = (1...1001).map { "site-\($0)" }
    let folder = try JobFolder(
      """
      name: many
      workflows: [initial-weights, {type: fedavg, rounds: 2, fraction: 0.01}]
      executor: answering
      \(Self.laplace)
      privacy: {epsilon: 3, delta: 0}

      """,
      data: "tables:\n" + names.map { "  \($0): table.csv\n" }.joined()
    )
    _ = try folder.folder.file("table.csv", Array("age\n1\n".utf8))
    var components = JobComponents.standard
    components.executors.register("answering") { _ in ExecutorRecipe { _ in Answering() } }
    let run = try JobRun(Job(contentsOf: folder.folder.path, components: components), lanes: 2)
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    let rounds = try await run.run(in: record).trainings[0].rounds
    let ledgers = try FilePrivacyLedgers(at: record.folder.appending(Job.ledgerFileName))
    let counts = names.map { ledgers.ledger(of: $0).releases.count }
    let most = try #require(counts.max())
    let site = try #require(counts.firstIndex(of: most))
    #expect(most >= 1 && counts.reduce(0, +) == 20)
    #expect(rounds.first?.epsilon == [:])
    #expect(rounds.dropFirst().allSatisfy { $0.epsilon.count == 1 })
    #expect(rounds.last?.epsilon == [names[site]: Double(most)])
  }

  @Test func whatNothingMakesPrivateIsRefusedBeforeTheRun() throws {
    func complaint(workflows: String, _ rest: String) throws -> String {
      let job = Self.job(rest: "\(rest)\nprivacy: {epsilon: 3, delta: 1e-5}")
        .replacing("workflow: {type: fedavg, rounds: 3}", with: "workflows: [\(workflows)]")
      return try JobFolder(job).complaint()
    }
    for workflow in ["cross-site-evaluation", "global-evaluation"] {
      let complaint = try complaint(
        workflows: "{type: fedavg, rounds: 1}, \(workflow)",
        Self.laplace
      )
      #expect(complaint.contains("privacy") && complaint.contains("makes private"), "\(complaint)")
    }
    for other in [
      "{type: cyclic, rounds: 1}", "{type: fedavg, rounds: 1}", "cross-site-evaluation",
    ] {
      let complaint = try complaint(workflows: "\(Self.mean), \(other)", "")
      #expect(complaint.contains("the job has a privacy budget, and its workflow"), "\(complaint)")
    }
  }

  @Test func chainsThatCannotBeCountedTogetherAreRefusedBeforeTheRun() throws {
    let drawn = Self.mean.replacing("rounds: 3", with: "rounds: 3, sampling: without-replacement")
    for other in [
      Self.mean,
      "{type: fedavg, rounds: 1, secure_aggregation: {noise: {clip_norm: 1, multiplier: 2}}}",
    ] {
      for chain in ["\(drawn), \(other)", "\(other), \(drawn)", "\(drawn), \(drawn)"] {
        let job = Self.job(rest: "privacy: {epsilon: 50, delta: 1e-5}")
          .replacing("workflow: {type: fedavg, rounds: 3}", with: "workflows: [\(chain)]")
        guard chain.contains(other) else {
          _ = try JobFolder(job).run()
          continue
        }
        let complaint = try JobFolder(job).complaint()
        #expect(complaint.contains("and others cannot be composed"), "\(complaint)")
      }
    }
  }

  /// A job that the documentation shows, on little data.
  private func example(_ name: String) throws -> JobFolder {
    let root = FilePath(#filePath).removingLastComponent().removingLastComponent()
      .removingLastComponent().removingLastComponent()
    let file = root.appending("Examples/Jobs/\(name)/job.yml")
    let text = try String(contentsOfFile: file.string, encoding: .utf8)
    return try JobFolder(text, data: "images: images\npartition: iid\n")
  }

  @Test(arguments: ["local-privacy", "private-training", "central-privacy"])
  func whatTheDocumentationShowsKeepsToItsPlan(_ name: String) async throws {
    let folder = try example(name)
    let run = try folder.run()
    let plan = try #require(try run.privacyPlan())
    let isCentral = name == "central-privacy"
    #expect((plan.job != nil) == isCentral)
    #expect(plan.sites.count == (isCentral ? 0 : run.data.sites.count))
    #expect(plan.lines.allSatisfy { $0.contains("of \(plan.budget.epsilon)") })
    #expect(!plan.lines.isEmpty && !plan.lines.contains { $0.contains("not last") })

    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    let rounds = try await run.run(in: record).trainings[0].rounds
    let spent = try #require(rounds.last?.epsilon)
    var planned = Dictionary(uniqueKeysWithValues: plan.sites.map { ($0.name, $0.epsilon) })
    planned["job"] = plan.job
    // What was announced is what is spent.
    #expect(Set(spent.keys) == Set(planned.keys))
    for (owner, epsilon) in spent {
      #expect(abs(epsilon - (planned[owner] ?? 0)) < 1e-9, "\(owner)")
      #expect(epsilon <= plan.budget.epsilon)
    }
    #expect(rounds.flatMap { $0.rejected }.isEmpty)
    let ledgers = record.folder.appending(Job.ledgerFileName)
    #expect(FileManager.default.fileExists(atPath: ledgers.string) != isCentral)
  }

  @Test func noiseIsCalibratedToTheBudgetAndToNoLess() throws {
    let mean =
      "{type: fedavg, rounds: 3, aggregation: {type: gaussian-mean, clip_norm: 1, noise_multiplier: calibrated}}"
    let executor =
      "{type: classifier, batch: 8, private_sgd: {clip_norm: 1, noise_multiplier: calibrated}}"
    let filters = """
      filters:
        site:
          results: [{type: clip-norm}, {type: gaussian-noise, noise_multiplier: calibrated}]
      """
    for (job, accountant) in [
      (Self.job(workflow: mean, rest: ""), "pld"), (Self.job(executor: executor, rest: ""), "rdp"),
      (Self.job(rest: filters), "rdp"),
    ] {
      let budget = "privacy: {epsilon: 4, delta: 1e-5, accountant: \(accountant)}\n"
      let plan = try #require(try JobFolder(job + budget).run().privacyPlan())
      let most = try #require((plan.sites.map(\.epsilon) + [plan.job ?? 0]).max())
      #expect(most <= 4 && most > 3.9, "\(most)")
      // Without a budget there is nothing to find it from.
      let folder = try JobFolder(job)
      let complaint = try folder.complaint()
      #expect(complaint.contains("'noise_multiplier: calibrated' needs a 'privacy' budget"))
    }
    let misspelled = mean.replacing("calibrated", with: "calibratd")
    let complaint = try JobFolder(Self.job(workflow: misspelled, rest: "")).complaint()
    #expect(complaint.contains("job.yml:2") && complaint.contains("'calibrated'"), "\(complaint)")
  }

  @Test func aBudgetThatWillNotLastIsAnnounced() throws {
    let rest = "privacy: {epsilon: 1.5, delta: 1e-5}"
    let plan = try #require(
      try JobFolder(Self.job(workflow: Self.mean, rest: rest)).run().privacyPlan()
    )
    #expect(plan.lines.count == 1)
    #expect(plan.lines[0].contains("the job will have spent") && plan.lines[0].contains("not last"))
    #expect(try JobFolder(Self.job(rest: "")).run().privacyPlan() == nil)
  }

  @Test func budgetsThatMeanNothingAreRefused() throws {
    func complaint(_ job: String) throws -> String { try JobFolder(job).complaint() }
    let budget = "privacy: {epsilon: 1, delta: 1e-5}"
    let idle = try complaint(Self.job(rest: budget))
    #expect(idle.contains("job.yml:6") && idle.contains("nothing in the job"), "\(idle)")
    for bad in [
      "epsilon: 0, delta: 0", "epsilon: 1, delta: 1", "epsilon: 1, delta: 0, accountant: x",
    ] {
      let complaint = try complaint(Self.job(workflow: Self.mean, rest: "privacy: {\(bad)}"))
      #expect(complaint.contains("job.yml:6"), "\(complaint)")
    }
    let loud = Self.mean.replacing("clip_norm: 1", with: "clip_norm: -1")
    #expect(try complaint(Self.job(workflow: loud, rest: budget)).contains("clip_norm"))
  }
}
