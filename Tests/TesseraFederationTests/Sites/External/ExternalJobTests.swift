import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

/// Jobs whose sites train with programs.
@Suite(.timeLimit(.minutes(20))) struct ExternalJobTests {
  private static let script = """
    import os
    import numpy as np
    import tessera_client
    site = tessera_client.init()
    own = np.loadtxt(os.environ["TESSERA_DATA"], delimiter=",", skiprows=1, ndmin=1)
    while site.is_running():
        model = site.receive()
        if model.task == "initialize":
            site.send({"mean": np.zeros(1)})
        elif model.task == "evaluate":
            site.send_metrics({"distance": float(abs(model.parameters["mean"][0] - own.mean()))}, samples=len(own))
        else:
            noise = model.generator().normal(0, 1e-3)
            site.send({"mean": np.array([own.mean() + noise])}, metrics={"loss": own.var()}, samples=len(own))
    """

  /// A job's folder with the program and a table for each of two sites.
  private static func folder(
    workflow: String = "workflows: [initial-weights, {type: fedavg, rounds: 2}, global-evaluation]",
    executor: String = "",
    rest: String = "",
    data: String = "folders: {north: north.csv, south: south.csv}"
  ) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let job = """
      name: means
      \(workflow)
      executor:
        type: external
        command: [\(TrainerTesting.python), train.py]
        environment: {PYTHONPATH: \(TrainerTesting.client), OMP_NUM_THREADS: "1"}
      \(executor)
      \(rest)

      """
    _ = try folder.file("job.yml", Array(job.utf8))
    _ = try folder.file("data.yml", Array("\(data)\n".utf8))
    _ = try folder.file("train.py", Array(script.utf8))
    _ = try folder.file("north.csv", Array("age\n1\n2\n3\n".utf8))
    _ = try folder.file("south.csv", Array("age\n10\n".utf8))
    return folder
  }

  private static func run(_ folder: TemporaryFolder) throws -> JobRun {
    try JobRun(Job(contentsOf: folder.path), lanes: 2)
  }

  @Test(arguments: [
    "folders: {north: north.csv, south: south.csv}",
    "{folders: {north: north.csv, south: south.csv}, samples: {north: 3, south: 1}}",
    "tables: {north: north.csv, south: south.csv}",
  ]) func aJobRunsAndIsRepeated(data: String) async throws {
    let folder = try Self.folder(data: data)
    let run = try Self.run(folder)
    let record = try RunRecord.create(at: folder.path.appending("run"), run.newManifest())
    #expect(try await run.run(in: record).status == .finished)
    let mean = try #require(try ModelState(contentsOf: record.modelFile)["mean"])
    // The mean of all rows, not of the sites: what programs say of their examples counts.
    expectClose(mean, [4], absolute: 5e-3)
    #expect(try await Self.run(folder).verify(record) == nil)
    for site in ["north", "south"] {
      let log = record.folder.appending("trainers/\(site).log").string
      #expect(try String(contentsOfFile: log, encoding: .utf8).contains("starts "))
    }
  }

  @Test func aJobBringsItsFirstModelAlong() async throws {
    let folder = try Self.folder(
      workflow: "workflows: [initial-weights, global-evaluation]",
      executor: "  initial_model: first.safetensors"
    )
    let first = try ModelState([(name: "mean", tensor: Tensor([7.0]))])
    try first.write(to: folder.path.appending("first.safetensors"))
    let run = try Self.run(folder)
    let record = try RunRecord.create(at: folder.path.appending("run"), run.newManifest())
    _ = try await run.run(in: record)
    #expect(try ModelState(contentsOf: record.modelFile).isIdentical(to: first))
    let outside = try Self.folder(executor: "  initial_model: ../first.safetensors")
    let error = #expect(throws: ConfigurationError.self) { try Self.run(outside) }
    #expect(error?.description.contains("must be a file in the job's folder") == true)
  }

  @Test func nothingOfAProgramLeavesASiteWithABudgetUncovered() async throws {
    let testing = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      while site.is_running():
          site.send(site.receive().parameters, metrics={"loss": 4711})
      """
    )
    let budget = try PrivacyBudget(epsilon: 3, delta: 1e-5)
    let bare = SiteWorker(executor: testing.executor, budget: budget)
    let error = await #expect(throws: FederationError.self) {
      try await bare.answer(testing.task(.train, ModelState([(name: "a", tensor: Tensor([1.0]))])))
    }
    #expect(error?.message.contains("nothing does") == true)
    let covered = SiteWorker(
      executor: testing.executor,
      filters: SiteFilters(results: [
        try ClipNorm(norm: 1), try GaussianNoise(noiseMultiplier: 20, clipNorm: 1),
      ]),
      budget: budget
    )
    let answer = try await covered.answer(
      testing.task(.train, ModelState([(name: "a", tensor: Tensor([1.0]))]), round: 2)
    )
    #expect(answer.metrics.isEmpty && answer.tensors.names == ["a"])
    await testing.executor.close()
  }

  @Test func aSiteOfADeploymentTrainsWithItsProgram() async throws {
    let folder = try Self.folder()
    let job = try Job(deployedFrom: folder.path)
    #expect(job.executor.runsPrograms)
    let data = try LocalData(.files(folder.path.appending("south.csv")))
    let roster = JobRoster(
      members: ["north", "south"].map { .init(name: $0, offer: data.offer) }
    )
    var place = SitePlace(
      memories: VolatileSiteMemories(),
      ledgers: VolatilePrivacyLedgers(),
      secrets: .system
    )
    place.logs = folder.path.appending("logs")
    let site = try JobAtSite(job, data: data, index: 1, roster: roster, at: place)
    let model = try ModelState([(name: "mean", tensor: Tensor([0.0]))])
    let answer = try await site.worker.answer(
      SiteTask(site: roster.sites[1], data: .weights(model), key: RandomKey(seed: 1))
    )
    expectClose(try #require(answer.tensors["mean"]), [10], absolute: 5e-3)
    #expect(answer.metadata.samples == 1 && answer.metadata.weight == 0x1p-24)
    await site.worker.close()
    #expect(folder.names.contains("logs"))
  }

  @Test(arguments: [
    ("workflow: {type: scaffold, rounds: 2}", "", "", "needs the executor's algorithm 'scaffold'"),
    ("", "", "{images: images, partition: iid}", "has one data set that is divided"),
    ("", "", "folders: {north: nowhere}", "there is no folder or file"),
    ("", "", "{folders: {north: north.csv}, samples: {north: 0}}", "samples.north: must be in"),
    (
      "", "", "{folders: {north: north.csv}, samples: {nort: 2}}",
      "there is no site 'nort' among 'folders'; did you mean 'north'?"
    ),
    (
      "", "", "{folders: {north: north.csv, south: south.csv}, samples: {north: 2}}",
      "must say for all sites or for none: 'south' is missing"
    ),
    ("", "", "{tables: {north: north.csv}, samples: {north: 2}}", "is only for folders"),
    ("", "", "{tables: {north: north.csv}, folders: {a: north.csv}}", "exactly one of"),
    ("", "  command: []", "", "command"),
    ("", "  command: [no-such-program]", "", "no program 'no-such-program'"),
    ("", "  command: [./train.py]", "", "no file that can be run"),
    ("", "  environment: {1A: b}", "", "'1A' must be of letters"),
    ("", "  environment: {TESSERA_SOCKET: b}", "", "'TESSERA_SOCKET' must be of letters"),
  ]) func whatIsWrongIsSaidBeforeAnythingIsBegun(
    workflow: String,
    executor: String,
    data: String,
    complaint: String
  ) throws {
    let folder = try Self.folder(
      workflow: workflow.isEmpty ? "workflow: {type: fedavg, rounds: 1}" : workflow,
      data: data.isEmpty ? "folders: {north: north.csv, south: south.csv}" : data
    )
    if !executor.isEmpty {
      let job = """
        name: means
        workflow: {type: fedavg, rounds: 1}
        executor:
          type: external
        \(executor.contains("command") ? "" : "  command: [python3]")
        \(executor)

        """
      _ = try folder.file("job.yml", Array(job.utf8))
    }
    let error = #expect(throws: (any Error).self) { try Self.run(folder) }
    #expect(error.map { "\($0)" }?.contains(complaint) == true, "\(error.map { "\($0)" } ?? "")")
  }
}
