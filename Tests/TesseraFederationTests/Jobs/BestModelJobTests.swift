import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// The best model of a training, as a job's files ask for it.
@Suite struct BestModelJobTests {
  private static func job(
    _ training: String = "{type: fedavg, rounds: 6}",
    settings: String = "patience: 2",
    executor: String = "{type: classifier, batch: 8}",
    rest: String = ""
  ) -> String {
    """
    name: best
    workflow: {type: best-model, of: \(training), \(settings)}
    model: linear
    executor: \(executor)
    sites: 4
    \(rest)

    """
  }

  @Test func aJobEndsWithItsBestModelAndIsRepeated() async throws {
    let folder = try JobFolder(Self.job())
    let run = try folder.run()
    let record = try RunRecord.create(at: folder.folder.path.appending("run"), run.newManifest())
    let manifest = try await run.run(in: record)
    #expect(manifest.status == .finished)
    let rounds = manifest.trainings[0].rounds
    let file = record.folder.appending("best-best-model.json")
    let data = try Data(contentsOf: URL(filePath: file.string))
    let results = try JSONDecoder().decode([BestModel.Result].self, from: data)
    let result = try #require(results.first)
    let best = try #require(result.best)
    #expect(results.count == 1 && result.metric == "accuracy" && result.isFinished)
    #expect(result.values.count == rounds.count)
    #expect(rounds.count == min(best + 3, 6))
    #expect(result.values.compactMap { $0 }.max() == result.values[best])
    // What is left at the end is what the best round ended with.
    let model = try ModelState(contentsOf: record.modelFile)
    #expect(try Digest.sha256(of: model).model == rounds.last?.model)
    if best + 1 < rounds.count { #expect(rounds[best].model == rounds.last?.model) }
    // Sites measured on what they do not train on.
    let measured = rounds.flatMap(\.contributors).filter { $0.metrics["accuracy"] != nil }
    #expect(!measured.isEmpty)
    #expect(try await folder.run(lanes: 1).verify(record) == nil)
  }

  private func complaint(_ job: String) throws -> String { try JobFolder(job).complaint() }

  @Test func whatCannotBeMeasuredOrComparedIsRefused() throws {
    func expect(_ job: String, _ texts: String...) throws {
      let complaint = try complaint(job)
      for text in texts { #expect(complaint.contains(text), "\(complaint)") }
    }
    try expect(
      Self.job(executor: "{type: classifier, holdout: 0}"),
      "executor.holdout",
      "trained on"
    )
    try expect(Self.job("global-evaluation"), "workflow.of", "is none")
    try expect(Self.job("{type: best-model, of: fedavg}"), "unknown workflow")
    try expect(Self.job("{type: fedavg, ruonds: 2}"), "'rounds'")
    try expect(Self.job(settings: "patience: 0"), "workflow.patience")
    try expect(Self.job(settings: "goal: hihgest"), "'highest'")
    // What is wrong with the training is found in the place where it stands.
    try expect(
      Self.job("{type: fedbuff, rounds: 2, concurrency: 9}"),
      "workflow.of.concurrency",
      "4 sites"
    )
    try expect(Self.job("{type: scaffold, rounds: 2}"), "workflow.of: needs")
    try expect(
      Self.job("{type: swarm, rounds: 2, aggregators: [site-9]}"),
      "workflow.of.aggregators",
      "'site-9'"
    )
  }

  @Test func aPrivacyBudgetAllowsNoMeasurements() throws {
    let laplace = """
      filters:
        site:
          results: [{type: clip-norm, measure: l1}, {type: laplace-noise, sensitivity: 2}]
      privacy: {epsilon: 30, delta: 1e-5}
      """
    let sites = try complaint(Self.job(rest: laplace))
    #expect(sites.contains("asks sites for measurements of their data"), "\(sites)")
    func mean(_ noise: String) -> String {
      "{type: fedavg, rounds: 2, aggregation: {type: gaussian-mean, clip_norm: 1, noise_multiplier: \(noise)}}"
    }
    let budget = "privacy: {epsilon: 30, delta: 1e-5}"
    for noise in ["4", "calibrated"] {
      let server = try complaint(Self.job(mean(noise), rest: budget))
      #expect(server.contains("'best-model' asks sites for measurements"), "\(server)")
    }
    // Noise that no budget says how much of.
    let none = try complaint(Self.job(mean("calibrated")))
    #expect(none.contains("calibrated"), "\(none)")
  }

  @Test func aProgramsOwnTrainingHasABestModelToo() throws {
    struct Own: Workflow {
      let rounds = 2
      func run(_ state: inout WorkflowState, with controller: Controller) async throws {}
    }
    var components = JobComponents.standard
    components.workflows.register("own") { _ in Own() }
    let folder = try JobFolder(Self.job("own", settings: "metric: loss", executor: "classifier"))
    let job = try Job(contentsOf: folder.folder.path, components: components)
    let workflow = try #require(job.workflow as? BestModel)
    #expect(workflow.workflow is Own && workflow.goal == .lowest && workflow.patience == nil)
  }
}
