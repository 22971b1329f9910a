import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Programs in Python as the trainers of sites.
@Suite(.timeLimit(.minutes(20))) struct ExternalTrainerTests {
  /// Each site steps towards its own numbers.
  private static let stepping = """
    import numpy as np
    import tessera_client

    site = tessera_client.init()
    own = np.random.default_rng(site.index).normal(size=(10 * (site.index + 1), 4))
    while site.is_running():
        model = site.receive()
        assert model.rounds == 3 and site.name == f"site-{site.index + 1}" and site.job == "test"
        note(f"round {model.round}")
        weight = model.parameters["weight"]
        site.log("distance", float(np.abs(weight - own.mean(0)).sum()), model.round)
        weight += 0.5 * (own.mean(0) - weight)
        site.send({"weight": weight}, metrics={"seed": model.seed % 1000}, samples=len(own), steps=1)
    note("end")
    """

  /// The same as one program: what the rounds come to.
  private static let alone = """
    import numpy as np, sys
    sys.path.insert(0, sys.argv[2])
    from tessera_client import safetensors
    own = [np.random.default_rng(i).normal(size=(10 * (i + 1), 4)) for i in range(3)]
    weight = np.zeros(4)
    for _ in range(3):
        parts = [weight + 0.5 * (o.mean(0) - weight) for o in own]
        weight = np.average(parts, axis=0, weights=[len(o) for o in own])
    safetensors.write(sys.argv[1], {"weight": weight})
    """

  @Test(arguments: [true, false]) func roundsAreWhatNumPyComputes(isCounted: Bool) async throws {
    let testing = try TrainerTesting(Self.stepping, samples: [10, 20, 30], isCounted: isCounted)
    let initial = try ModelState([(name: "weight", tensor: Tensor.zeros([4], dtype: .float64))])
    let federation = Federation(
      workflow: try FedAvg(rounds: 3),
      transport: InProcessTransport(
        sites: testing.sites,
        worker: SiteWorker(
          executor: testing.executor,
          logs: testing.folder.path.appending("logs")
        ),
        pool: LanePool(lanes: 3)
      ),
      key: RandomKey(seed: 1)
    )
    var rounds = 0
    let (state, _) = try await federation.run(from: WorkflowState(model: initial)) { _ in
      rounds += 1
    }
    await testing.executor.close()

    let expected = testing.folder.path.appending("expected.safetensors")
    try await run(Self.alone, [expected.string, TrainerTesting.client])
    let weight = try #require(try ModelState(contentsOf: expected)["weight"])
    let reached = try #require(state.model["weight"])
    expectClose(reached, weight, absolute: 1e-9, relative: 0)
    #expect(rounds == 3)
    for site in 0..<3 {
      // One process for the whole job, which was told of its end.
      let notes = testing.notes(site)
      #expect(notes.count == 5)
      #expect(notes.first?.hasPrefix("started ") == true)
      #expect(notes.dropFirst() == ["round 1", "round 2", "round 3", "end"])
      #expect(!testing.processes(site).contains(where: isAlive))
      let log = testing.folder.path.appending("logs/site-\(site + 1).jsonl")
      let lines = try String(contentsOfFile: log.string, encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 3 && lines[2].contains(#""name":"distance""#))
    }
  }

  private func run(_ script: String, _ arguments: [String]) async throws {
    let status = try await onOwnThread { () -> Int32 in
      let process = Process()
      process.executableURL = URL(filePath: TrainerTesting.python)
      process.arguments = ["-c", script] + arguments
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus
    }
    #expect(status == 0)
  }

  @Test func allTasksAreAnsweredOrRefused() async throws {
    let testing = try TrainerTesting(
      """
      import numpy as np
      import tessera_client
      from tessera_client import Update
      best = {}
      def train(model):
          best.update(model.parameters)
          return Update(model.parameters, {"loss": float("nan")}, samples=4, steps=2)
      def evaluate(model):
          return {"accuracy": 0.25, "worst": float("-inf")}, 7
      def initialize(model):
          return {"b": np.ones((2, 3), np.float32), "a": np.array(5)}
      tessera_client.init().serve(train, evaluate, initialize, submit=lambda model: best or None)
      """
    )
    let first = try await testing.answer(testing.task(.initialize, .empty))
    #expect(first.kind == .weights && first.tensors.names == ["b", "a"])
    #expect(first.tensors["b"]?.shape == [2, 3] && first.tensors["a"]?.shape == [])
    let none = try await testing.answer(testing.task(.submitModel))
    #expect(none.returnCode == .nothingToShare && none.tensors.names.isEmpty)
    let trained = try await testing.answer(testing.task(.train))
    #expect(try trained.tensors.isIdentical(to: TrainerTesting.model([1, 2])))
    #expect(trained.metrics["loss"]?.isNaN == true)
    #expect(trained.metadata.samples == 4 && trained.metadata.steps == 2)
    let measured = try await testing.answer(testing.task(.evaluate))
    #expect(measured.kind == .metrics && measured.metadata.samples == 7)
    #expect(measured.metrics == ["accuracy": 0.25, "worst": -.infinity])
    let own = try await testing.answer(testing.task(.submitModel))
    #expect(try own.tensors.isIdentical(to: TrainerTesting.model([1, 2])))
    let unknown = try await testing.answer(testing.task(TaskName("calibrate")))
    #expect(unknown.returnCode == .unknownTask)
    #expect(testing.processes().count == 1)
    await testing.executor.close()
  }

  @Test func theJobsOwnFirstModelNeedsNoProgram() async throws {
    let testing = try TrainerTesting("", initial: TrainerTesting.model([8, 9]))
    let first = try await testing.answer(testing.task(.initialize, .empty))
    #expect(try first.tensors.isIdentical(to: TrainerTesting.model([8, 9])))
    #expect(testing.notes().isEmpty)
  }

  @Test func tasksOfOneSiteWaitForEachOther() async throws {
    let testing = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      while site.is_running():
          model = site.receive()
          note("begins")
          time.sleep(0.1)
          note("is done")
          site.send(model.parameters)
      """
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
      for round in 1...3 {
        let task = try testing.task(round: round)
        group.addTask { _ = try await testing.answer(task) }
      }
      try await group.waitForAll()
    }
    #expect(
      testing.notes().dropFirst() == [
        "begins", "is done", "begins", "is done", "begins", "is done",
      ]
    )
    await testing.executor.close()
    #expect(!testing.processes().contains(where: isAlive))
  }

  @Test func aTrainerThatDiesIsStartedOnceMore() async throws {
    let testing = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      while site.is_running():
          model = site.receive()
          note(f"round {model.round} attempt {model.attempt}")
          if model.round == 2 and model.attempt == 1:
              os.kill(os.getpid(), signal.SIGKILL)
          site.send({**model.parameters, "weight": model.parameters["weight"] + 1})
      """
    )
    for round in 1...3 {
      let answer = try await testing.answer(testing.task(round: round))
      #expect(try answer.tensors.isIdentical(to: TrainerTesting.model([2, 3])))
    }
    #expect(testing.processes().count == 2)
    #expect(
      testing.notes().filter { $0.hasPrefix("round") } == [
        "round 1 attempt 1", "round 2 attempt 1", "round 2 attempt 2", "round 3 attempt 1",
      ]
    )
    await testing.executor.close()
  }

  @Test func aTrainerThatDiesTwiceIsAnErrorWhoseDataStayAtTheSite() async throws {
    let testing = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      model = site.receive()
      print("patient 4711 is odd", file=sys.stderr)
      sys.exit(3)
      """
    )
    let told = Mutex("")
    let error = await #expect(throws: FederationError.self) {
      try await testing.answer(testing.task()) { _, error in told.withLock { $0 = "\(error)" } }
    }
    #expect(
      error?.message
        == "site-1: its trainer ended twice during one task, the last time with exit status 3"
    )
    #expect(told.withLock { $0.contains("exit status 3") && $0.contains("patient 4711 is odd") })
    let log = testing.folder.path.appending("logs/site-1.log").string
    let text = try String(contentsOfFile: log, encoding: .utf8)
    #expect(text.components(separatedBy: "patient 4711").count == 3)
    #expect(testing.processes().count == 2)
    // The next task finds it as the first did.
    #expect(try await testing.complaint(testing.task(round: 2)).contains("exit status 3"))
    #expect(testing.processes().count == 4)
    await testing.executor.close()
  }

  @Test func anAbortedTrainerIsGoneWithinASecond() async throws {
    let testing = try TrainerTesting(
      """
      import subprocess
      import tessera_client
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      site = tessera_client.init()
      model = site.receive()
      child = subprocess.Popen(["sleep", "600"])
      note(f"child {child.pid}")
      while True:
          time.sleep(1)
      """
    )
    let task = try testing.task()
    let work = Task { try await SiteWorker(executor: testing.executor).answer(task) }
    // What a program does is seen by its files alone.
    while testing.notes().count < 2 { try await Task.sleep(for: .milliseconds(20)) }
    let processes = testing.processes()
    #expect(processes.count == 2 && processes.allSatisfy(isAlive))
    // On a thread of its own: Swift's are busy with other tests.
    let (deaths, death) = AsyncStream<ContinuousClock.Instant>.makeStream()
    let start = ContinuousClock.now
    Thread {
      work.cancel()
      while processes.contains(where: isAlive) { usleep(5000) }
      death.yield(.now)
      death.finish()
    }.start()
    for await time in deaths { #expect(time - start < .seconds(1)) }
    await #expect(throws: CancellationError.self) { try await work.value }
    await testing.executor.close()
  }

  @Test func aTrainerThatSaysMuchDoesNotFillTheDisk() async throws {
    let testing = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      model = site.receive()
      print("the beginning", flush=True)
      for number in range(2500):
          print("x" * 16383)
      print("the end", flush=True)
      site.send(model.parameters)
      """
    )
    _ = try await testing.answer(testing.task())
    await testing.executor.close()
    let logs = testing.folder.path.appending("logs")
    let (last, before) = try (
      String(contentsOfFile: logs.appending("site-1.log").string, encoding: .utf8),
      String(contentsOfFile: logs.appending("site-1.log.1").string, encoding: .utf8)
    )
    // 41 MB were written, of which the last 16 to 32 are there.
    #expect(last.contains("the end\n") && !last.contains("the beginning"))
    #expect(!before.contains("the beginning"))
    #expect(last.utf8.count <= 16 << 20 && before.utf8.count <= 16 << 20)
    #expect(try FileManager.default.contentsOfDirectory(atPath: logs.string).count == 2)
  }

  @Test func foldersOfProcessesThatWereKilledAreRemoved() async throws {
    let parent = FilePath(FileManager.default.temporaryDirectory.path)
    let left = parent.appending("tessera-trainer-left00")
    try FileManager.default.createDirectory(
      atPath: left.string,
      withIntermediateDirectories: true
    )
    try Data().write(to: URL(filePath: left.appending("lock").string))
    try Data([1]).write(to: URL(filePath: left.appending("task-1.safetensors").string))
    let testing = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      while site.is_running():
          note(f"folder {site.folder}")
          site.send(site.receive().parameters)
      """
    )
    _ = try await testing.answer(testing.task())
    #expect(!FileManager.default.fileExists(atPath: left.string))
    let folder = try #require(testing.notes().last?.split(separator: " ").last.map(String.init))
    // Another does not take it for one that was left.
    let other = try TrainerTesting("sys.exit(1)")
    _ = try await other.complaint(other.task())
    #expect(FileManager.default.fileExists(atPath: folder))
    await testing.executor.close()
    #expect(!FileManager.default.fileExists(atPath: folder))
  }

  @Test func aTrainerEndsWithItsExecutor() async throws {
    var testing: TrainerTesting? = try TrainerTesting(
      """
      import tessera_client
      site = tessera_client.init()
      while site.is_running():
          site.send(site.receive().parameters)
      note("end")
      """
    )
    let folder = try #require(testing?.folder)
    if let testing { _ = try await testing.answer(testing.task()) }
    testing = nil
    let notes = folder.path.appending("site-1/notes").string
    while try !String(contentsOfFile: notes, encoding: .utf8).contains("end\n") {
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
