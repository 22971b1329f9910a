import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraRun
import TesseraTesting
import Testing

@Suite struct SitePrivacyTests {
  private static let site = Site(index: 0, name: "site-1", exampleCount: 10)

  private static func model() throws -> ModelState {
    try Sample.state(("a", Tensor.zeros([4])), ("steps", Tensor([0])))
  }

  private static let echoing = Doing { task, site in
    .weights(task.model, samples: 10, metrics: ["loss": 0.25])
  }

  /// Changes that sum up to at most 1 are at most 2 apart: ε is 1.
  private static func noise() throws -> [any Filter] {
    [
      try ClipNorm(norm: 1, measure: .l1),
      try LaplaceNoise(epsilon: 1, sensitivity: 2, nonFloating: .kept),
    ]
  }

  private static func task(
    step: Int,
    _ name: TaskName = .train,
    round: Int? = nil,
    model: ModelState? = nil,
    key: UInt64 = 3
  ) throws -> SiteTask {
    SiteTask(
      step: step,
      name: name,
      round: round ?? step,
      site: site,
      data: .weights(try model ?? Self.model()),
      key: RandomKey(seed: key)[step]
    )
  }

  private static func worker(
    _ filters: [any Filter],
    epsilon: Double,
    executor: any Executor = echoing,
    secrets: SecretSource = .reproducible(RandomKey(seed: 8)),
    memories: any SiteMemoryStore = VolatileSiteMemories(),
    ledgers: any PrivacyLedgerStore = VolatilePrivacyLedgers(),
    job: String = "job"
  ) throws -> SiteWorker {
    SiteWorker(
      executor: executor,
      filters: SiteFilters(results: filters),
      memories: memories,
      secrets: secrets,
      budget: try PrivacyBudget(epsilon: epsilon, delta: 0),
      ledgers: ledgers,
      job: job
    )
  }

  private func expectExhausted(
    _ worker: SiteWorker,
    _ task: SiteTask,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async {
    let error = await #expect(throws: FederationError.self, sourceLocation: sourceLocation) {
      try await worker.answer(task)
    }
    #expect(error?.code == .budgetExhausted, sourceLocation: sourceLocation)
  }

  @Test func theSiteThatWouldOverspendIsRefusedAndTheRoundGoesOn() async throws {
    let sites = (0..<3).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }
    let log = Told<String>()
    func run(lanes: Int) async throws -> (rounds: [RoundResult], ledgers: VolatilePrivacyLedgers) {
      let ledgers = VolatilePrivacyLedgers()
      let executor = Doing { task, site in
        // Two for the price of one at all others.
        if task.site.index == 1 {
          try site.charge([PrivacyEvent(.pure(epsilon: 1))], for: "one")
          try site.charge([PrivacyEvent(.pure(epsilon: 1))], for: "two")
        }
        return .weights(task.model, samples: 10)
      }
      let worker = SiteWorker(
        executor: executor,
        filters: SiteFilters(results: try Self.noise()),
        secrets: .reproducible(RandomKey(seed: 1)),
        budget: try PrivacyBudget(epsilon: 5, delta: 0),
        ledgers: ledgers,
        failed: { _, error in log.add((error as? FederationError)?.message ?? "") }
      )
      let federation = Federation(
        workflow: try FedAvg(rounds: 4),
        transport: InProcessTransport(sites: sites, worker: worker, pool: LanePool(lanes: lanes)),
        key: RandomKey(seed: 4)
      )
      var rounds: [RoundResult] = []
      _ = try await federation.run(from: WorkflowState(model: Self.model())) { rounds.append($0) }
      return (rounds, ledgers)
    }
    let (rounds, ledgers) = try await run(lanes: 1)
    #expect(rounds.map { $0.refusals.map(\.site) } == [[], [], ["site-2"], ["site-2"]])
    #expect(rounds.map(\.contributions.count) == [3, 3, 2, 2])
    // The server is told that it was the budget, and nothing of what else was spent of it.
    let refusal = try #require(rounds[2].refusals.first?.reason)
    #expect(refusal == "site-2: its privacy budget does not allow this answer")
    let reason = try #require(log.all.first)
    for part in ["site-2", "round 3", "'two'", "spent 4.0", "with it 6.0", "allowed 5.0"] {
      #expect(reason.contains(part), "\(reason)")
    }
    // Of a task that is refused nothing stays in the ledger.
    let budget = try PrivacyBudget(epsilon: 5, delta: 0)
    #expect(try sites.map { try ledgers.ledger(of: $0.name).spent(under: budget) } == [4, 4, 4])
    let other = try await run(lanes: 3).rounds
    #expect(try other[3].model.isIdentical(to: rounds[3].model))
  }

  @Test func aTaskThatIsRepeatedAfterAKillCountsOnce() async throws {
    let folder = try TemporaryFolder()
    let file = folder.path.appending("ledger.jsonl")
    func answer(_ step: Int) async throws -> Exchange {
      // Each time as a new process, which finds the memory rolled back.
      try await Self.worker(Self.noise(), epsilon: 2, ledgers: FilePrivacyLedgers(at: file))
        .answer(Self.task(step: step))
    }
    let first = try await answer(1)
    #expect(try await answer(1).tensors.isIdentical(to: first.tensors))
    _ = try await answer(2)
    // Nothing is left, and still what was released is released again.
    #expect(try await answer(1).tensors.isIdentical(to: first.tensors))
    #expect(try FilePrivacyLedgers(at: file).ledger(of: "site-1").releases.map(\.step) == [1, 2])
    let error = await #expect(throws: FederationError.self) { _ = try await answer(3) }
    #expect(error?.code == .budgetExhausted)
  }

  /// Each was waited for before its answer left: no power cut takes any, and whoever loses some must not spend them again.
  @Test func zerosInALedgerAreDamageAndNotTheEndOfWhatWasReleased() throws {
    let folder = try TemporaryFolder()
    let file = folder.path.appending("ledger.jsonl")
    do {
      let ledgers = try FilePrivacyLedgers(at: file)
      for step in 1...20 {
        try ledgers.enter(
          SiteLedger.Release(
            site: "site-1",
            job: "job-1",
            step: step,
            round: step,
            task: "train",
            events: [],
            request: String(repeating: "a", count: 64),
            answer: String(repeating: "b", count: 64)
          )
        ) { _ in }
      }
    }
    var holed = try folder.bytes(of: file)
    #expect(holed.count > 2048)
    holed.replaceSubrange(1024..<1536, with: repeatElement(0, count: 512))
    _ = try folder.file("ledger.jsonl", holed)
    let error = #expect(throws: RunError.self) { try FilePrivacyLedgers(at: file) }
    #expect(error?.code == .malformedRecord)
    #expect(try folder.bytes(of: file) == holed)
  }

  @Test func noServerGetsASecondAnswerForOneCharge() async throws {
    let ledgers = VolatilePrivacyLedgers()
    let worker = try Self.worker(Self.noise(), epsilon: 3, ledgers: ledgers)
    let first = try await worker.answer(Self.task(step: 1))
    // The same step, with another model, another key, or another round.
    let other = try Self.model().mapTensors { name, tensor in
      name == "a" ? try tensor + 1 : tensor
    }
    let second = try await worker.answer(Self.task(step: 1, model: other))
    #expect(ledgers.ledger(of: "site-1").releases.count == 2)
    // Their noise is not the same either, which the difference would be without.
    let gap = try #require(second.tensors["a"]) - #require(first.tensors["a"]) - 1
    #expect(try abs(gap).minimum().item() > 1e-3)
    _ = try await worker.answer(Self.task(step: 1, key: 4))
    #expect(ledgers.ledger(of: "site-1").releases.count == 3)
    await expectExhausted(worker, try Self.task(step: 1, round: 7))
    await expectExhausted(worker, try Self.task(step: 1, .submitModel))
    // Steps that go back do not help, and neither does a job of another name.
    await expectExhausted(worker, try Self.task(step: 0, key: 9))
    let renamed = try Self.worker(Self.noise(), epsilon: 3, ledgers: ledgers, job: "fresh")
    await expectExhausted(renamed, try Self.task(step: 2))
  }

  @Test func freshNoiseIsAnotherReleaseAlsoForTheSameTask() async throws {
    let ledgers = VolatilePrivacyLedgers()
    let worker = try Self.worker(Self.noise(), epsilon: 2, secrets: .system, ledgers: ledgers)
    let task = try Self.task(step: 1)
    let first = try await worker.answer(task)
    #expect(try await !worker.answer(task).tensors.isIdentical(to: first.tensors))
    await expectExhausted(worker, task)
  }

  /// Keeps the latest memory alone, whatever step it is asked for.
  private final class ForwardMemories: SiteMemoryStore {
    private let kept = Mutex<[String: ModelState]>([:])

    func contents(of site: Site, before step: Int) -> [String: ModelState] { kept.withLock { $0 } }
    func contents(of site: Site, forgettingFrom step: Int) -> [String: ModelState] {
      kept.withLock { $0 }
    }
    func keep(_ contents: [String: ModelState], of site: Site, after step: Int) {
      kept.withLock { $0 = contents }
    }
  }

  @Test func whatASiteRemembersMakesAnotherTask() async throws {
    let ledgers = VolatilePrivacyLedgers()
    let counting = Doing { task, site in
      let seen = try site.memory["seen"]?["n"]?.item() ?? 0
      site.memory["seen"] = try Sample.state(("n", Tensor([seen + 1])))
      return .weights(try task.model.mapTensors { $0 == "a" ? try $1 + seen / 10 : $1 })
    }
    // A store that does not roll back: the same task finds another memory.
    let worker = try Self.worker(
      Self.noise(),
      epsilon: 2,
      executor: counting,
      memories: ForwardMemories(),
      ledgers: ledgers
    )
    let task = try Self.task(step: 1)
    _ = try await worker.answer(task)
    _ = try await worker.answer(task)
    #expect(ledgers.ledger(of: "site-1").releases.count == 2)
    await expectExhausted(worker, task)
  }

  @Test func aLedgerSpansJobsAndSaysWhatEachHasSpent() async throws {
    let ledgers = VolatilePrivacyLedgers()
    for (job, steps) in [("first", 1...2), ("second", 1...1)] {
      let worker = try Self.worker(Self.noise(), epsilon: 3, ledgers: ledgers, job: job)
      for step in steps { _ = try await worker.answer(Self.task(step: step)) }
    }
    let budget = try PrivacyBudget(epsilon: 3, delta: 0)
    let ledger = ledgers.ledger(of: "site-1")
    #expect(try ledger.spentByJob(under: budget) == ["first": 2, "second": 1])
    #expect(try ledger.spent(under: budget) == 3)
    #expect(try ledger.spent(under: budget, by: "second") == 1)
    await expectExhausted(
      try Self.worker(Self.noise(), epsilon: 3, ledgers: ledgers, job: "third"),
      try Self.task(step: 1)
    )
    // A site may raise what it allows; what was spent stays spent.
    let more = try Self.worker(Self.noise(), epsilon: 4, ledgers: ledgers, job: "third")
    _ = try await more.answer(Self.task(step: 1))
    await expectExhausted(more, try Self.task(step: 2))
    #expect(ledgers.ledger(of: "site-2").releases.isEmpty)
  }

  @Test func answersLeaveASiteWithABudgetOnlyIfSomethingMakesThemPrivate() async throws {
    func refused(
      _ filters: [any Filter],
      _ name: TaskName = .train,
      _ executor: any Executor = Self.echoing,
      _ code: FederationError.Code = .invalidConfiguration,
      sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      let ledgers = VolatilePrivacyLedgers()
      let worker = try Self.worker(filters, epsilon: 9, executor: executor, ledgers: ledgers)
      let error = await #expect(throws: FederationError.self, sourceLocation: sourceLocation) {
        try await worker.answer(Self.task(step: 1, name))
      }
      #expect(error?.code == code, sourceLocation: sourceLocation)
      #expect(error?.message.contains("site-1") == true, sourceLocation: sourceLocation)
      #expect(ledgers.ledger(of: "site-1").releases.isEmpty, sourceLocation: sourceLocation)
    }
    let noise = try Self.noise()
    // Whatever the server calls the task: only the site's own executor can say that an answer tells nothing.
    for name in [TaskName.train, .submitModel, .initialize, .aggregate] {
      try await refused([ClipNorm()], name)
    }
    let custom = Doing { task, _ in Exchange(.custom("activations"), tensors: task.model) }
    try await refused(noise, .train, custom, .rejectedUpdate)
    let beside = Doing { task, _ in
      .collection([
        "model": .weights(task.model), "activations": Exchange(.custom("x"), tensors: task.model),
      ])
    }
    try await refused(noise, .train, beside, .rejectedUpdate)
    // Measurements and statistics are exact.
    try await refused(noise, .evaluate, Doing { _, _ in .metrics(["accuracy": 0.5]) })
    let statistics = Doing { _, _ in
      Exchange(.statistics, parts: ["all": Exchange(.statistics, metrics: ["mean": 3])])
    }
    try await refused(noise, .statistics, statistics)

    let free = Doing { task, site in
      site.declareFreeOfData()
      return .weights(task.model, metrics: ["loss": 1])
    }
    let ledgers = VolatilePrivacyLedgers()
    let answer = try await Self.worker([], epsilon: 1, executor: free, ledgers: ledgers)
      .answer(Self.task(step: 1, .initialize))
    #expect(answer.metrics == ["loss": 1])
    #expect(ledgers.ledger(of: "site-1").releases.isEmpty)
  }

  @Test func measurementsAndTextStayBehindUnlessTheyAreCovered() async throws {
    let talking = Doing { task, site in
      site.declareFreeOfData(measurements: ["reach"])
      var answer = Exchange.weights(task.model, metrics: ["loss": 0.25, "reach": 2])
      answer.headers["note"] = "as it was"
      return answer
    }
    // A filter that measures is no way around it.
    let filters: [any Filter] = [try ClipNorm(reportsFactor: true)] + (try Self.noise())
    let answer = try await Self.worker(filters, epsilon: 1, executor: talking)
      .answer(Self.task(step: 1))
    #expect(answer.metrics == ["reach": 2])
    #expect(answer.headers == ["withheld measurements": "clip factor, loss"])

    let charging = Doing { task, site in
      try site.charge(
        [PrivacyEvent(.pure(epsilon: 0.5))],
        for: "accuracy",
        covering: ["accuracy"]
      )
      return .metrics(["accuracy": 0.5, "loss": 1])
    }
    let ledgers = VolatilePrivacyLedgers()
    let measured = try Self.worker([], epsilon: 0.9, executor: charging, ledgers: ledgers)
    #expect(
      try await measured.answer(Self.task(step: 1, .evaluate)).metrics == ["accuracy": 0.5]
    )
    #expect(ledgers.ledger(of: "site-1").releases.count == 1)
    await expectExhausted(measured, try Self.task(step: 2, .evaluate))

    let refusing = Doing { task, _ in
      var answer = Exchange.weights(task.model, metrics: ["loss": 1])
      answer.headers = ["reason": "too few", "note": "three"]
      answer.returnCode = .nothingToShare
      return answer
    }
    let refusal = try await Self.worker([], epsilon: 1, executor: refusing)
      .answer(Self.task(step: 1))
    #expect(refusal.returnCode == .nothingToShare)
    #expect(refusal.headers.isEmpty)
    #expect(refusal.tensors.names.isEmpty && refusal.metrics.isEmpty)
  }

  @Test func eachFilterCostsWhatItPromises() throws {
    let model = Exchange.weights(try Self.model())
    let pair = Exchange.collection(["model": model, "variate": model])
    let context = Sample.context(reference: pair)
    func events(
      _ filter: any PrivacySpending,
      _ exchange: Exchange,
      after earlier: [any Filter] = []
    ) throws -> [PrivacyEvent] {
      try filter.privacyEvents(for: exchange, in: context, after: earlier)
    }
    let gaussian = try GaussianNoise(noiseMultiplier: 3, clipNorm: 2)
    // Two clipped updates can be twice the norm apart; what they were clipped to counts.
    let one = PrivacyEvent(.gaussian(noiseMultiplier: 1.5))
    #expect(try events(gaussian, pair, after: [ClipNorm(norm: 2)]) == [one, one])
    #expect(
      try events(gaussian, model, after: [ClipNorm(norm: 3)])
        == [PrivacyEvent(.gaussian(noiseMultiplier: 1))]
    )
    #expect(
      try events(GaussianNoise(standardDeviation: 6), model, after: [ClipNorm(norm: 2)]) == [one]
    )
    // No change is longer than the sum of its magnitudes.
    #expect(try events(gaussian, model, after: [ClipNorm(norm: 2, measure: .l1)]) == [one])
    #expect(try events(gaussian, .metrics(["loss": 1])).isEmpty)
    let laplace = try LaplaceNoise(epsilon: 0.5, sensitivity: 4)
    #expect(
      try events(laplace, model, after: [ClipNorm(norm: 2, measure: .l1)])
        == [PrivacyEvent(.laplace(noiseMultiplier: 2))]
    )
    // Of four elements two are shared; the whole number does not count.
    let svt = try SVTPrivacy(fraction: 0.5, epsilon: 0.25, noiseVariance: 0.125)
    let cost = PrivacyEvent(.pure(epsilon: svt.epsilon(elements: 4)))
    #expect(try events(svt, pair) == [cost, cost])

    let wide = Exchange.difference(
      try Sample.state(("a", Tensor.zeros([2])), ("b", Tensor.zeros([2])))
    )
    #expect(
      try events(gaussian, wide, after: [ClipNorm(norm: 1, perTensor: true)])
        == [PrivacyEvent(.gaussian(noiseMultiplier: 3 / 2.0.squareRoot()))]
    )
    #expect(
      try events(laplace, wide, after: [ClipNorm(norm: 1, measure: .l1, perTensor: true)])
        == [PrivacyEvent(.laplace(noiseMultiplier: 2))]
    )
  }

  @Test func noiseIsCountedOnlyBehindTheClippingThatItNeeds() throws {
    struct Doubling: Filter {
      func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange { exchange }
    }
    let model = Exchange.weights(try Self.model())
    func refused(
      _ filter: any PrivacySpending,
      after earlier: [any Filter],
      naming word: String,
      model: Exchange? = nil,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      expectRefusal(.invalidConfiguration, naming: word, sourceLocation: sourceLocation) {
        _ = try filter.privacyEvents(
          for: model ?? Exchange.weights(Self.model()),
          in: Sample.context(reference: Exchange.weights(Self.model())),
          after: earlier
        )
      }
    }
    let gaussian = try GaussianNoise()
    let laplace = try LaplaceNoise()
    let (l1, l2) = (try ClipNorm(measure: .l1), try ClipNorm())
    refused(gaussian, after: [], naming: "'clip-norm' with measure 'l2'")
    refused(laplace, after: [], naming: "'clip-norm' with measure 'l1'")
    refused(laplace, after: [l2], naming: "'clip-norm' with measure 'l1'")
    refused(gaussian, after: [l2, Doubling()], naming: "Doubling")
    refused(laplace, after: [l1, try TopK(fraction: 0.5)], naming: "TopK")
    refused(gaussian, after: [l2, try Quantize(.float16), Dequantize()], naming: "between")
    refused(try GaussianNoise(standardDeviation: 0), after: [l2], naming: "more than 0")
    refused(try LaplaceNoise(scale: 0), after: [l1], naming: "more than 0")
    let shortening: [any Filter] = [
      try ConvertWeights(), try ExcludeTensors(["b"]), try PercentilePrivacy(), l1,
    ]
    for filter in shortening {
      _ = try gaussian.privacyEvents(
        for: model,
        in: Sample.context(reference: model),
        after: [l2, filter]
      )
    }
    // Weights that are rounded after clipping are farther from the task's than they were clipped to.
    for dtype in [DType.float16, .bfloat16] {
      let half = Exchange.weights(
        try Sample.state(("a", Tensor.zeros([4])), ("half", Tensor.zeros([4]).to(dtype)))
      )
      refused(gaussian, after: [l2], naming: "tensor 'half' is '\(dtype)'", model: half)
      refused(laplace, after: [l1], naming: "tensor 'half' is '\(dtype)'", model: half)
    }
    // Whole numbers that are not the task's own would pass without noise.
    let counted = Exchange.weights(
      try Sample.state(("a", Tensor.zeros([4])), ("steps", Tensor([7])))
    )
    for filter in [
      try GaussianNoise(nonFloating: .kept) as any PrivacySpending,
      try LaplaceNoise(nonFloating: .kept), try SVTPrivacy(nonFloating: .kept),
    ] {
      refused(filter, after: [l1], naming: "'steps'", model: counted)
    }
  }

  @Test func aLedgerThatIsDamagedOrInUseIsRefused() async throws {
    let folder = try TemporaryFolder()
    let file = folder.path.appending("ledger.jsonl")
    var ledgers: FilePrivacyLedgers? = try FilePrivacyLedgers(at: file)
    let worker = try Self.worker(Self.noise(), epsilon: 9, ledgers: #require(ledgers))
    for step in 1...3 { _ = try await worker.answer(Self.task(step: step)) }
    #expect(throws: RunError.self) { try FilePrivacyLedgers(at: file) }
    #expect(ledgers?.ledger(of: "site-1").releases.count == 3)
    ledgers = nil
    _ = consume worker

    let url = URL(filePath: file.string)
    // A line that was taken out, or an amount that was changed.
    let text = try String(contentsOfFile: file.string, encoding: .utf8)
    var lines = text.split(separator: "\n")
    lines.remove(at: 1)
    try (lines.joined(separator: "\n") + "\n").write(to: url, atomically: true, encoding: .utf8)
    #expect(throws: RunError.self) { try FilePrivacyLedgers(at: file) }
    try text.replacing("\"round\":2", with: "\"round\":9")
      .write(to: url, atomically: true, encoding: .utf8)
    #expect(throws: RunError.self) { try FilePrivacyLedgers(at: file) }
    // The beginning of a line that a kill left.
    try (text + "{\"half").write(to: url, atomically: true, encoding: .utf8)
    #expect(try FilePrivacyLedgers(at: file).ledger(of: "site-1").releases.count == 3)
  }

  @Test func whatFiltersAndTheBudgetDecideIsToldInOrder() async throws {
    let told = Mutex<[SiteDecision]>([])
    let jobs = SiteFilters(
      tasks: [try ExcludeMetrics(["x"])],
      results: try Self.noise() + [try Quantize(.int8)]
    )
    let own = SiteFilters(tasks: [], results: [try ExcludeMetrics(["loss"])])
    let worker = SiteWorker(
      executor: Self.echoing,
      filters: jobs.followed(by: own),
      secrets: .reproducible(RandomKey(seed: 8)),
      budget: try PrivacyBudget(epsilon: 1.5, delta: 0),
      decided: { _, decision in told.withLock { $0.append(decision) } }
    )
    _ = try await worker.answer(Self.task(step: 1))
    let filters: [SiteDecision] = [
      .filtered(.task, filter: "exclude-metrics", isOwn: false),
      .filtered(.result, filter: "clip-norm", isOwn: false),
      .filtered(.result, filter: "laplace-noise", isOwn: false),
      .filtered(.result, filter: "exclude-metrics", isOwn: true),
      .filtered(.result, filter: "quantize", isOwn: false),
    ]
    #expect(told.withLock { Array($0.dropLast()) } == filters)
    guard case .charged(let epsilon, let delta, let left)? = told.withLock({ $0.last }) else {
      Issue.record("nothing was charged")
      return
    }
    #expect(abs(epsilon - 1) < 1e-6 && delta == 0 && abs(left - 0.5) < 1e-6)
    // The same again costs nothing; another does not leave.
    told.withLock { $0 = [] }
    _ = try await worker.answer(Self.task(step: 1))
    #expect(told.withLock { $0.last } == .charged(epsilon: 0, delta: 0, left: left))
    told.withLock { $0 = [] }
    await #expect(throws: FederationError.self) { try await worker.answer(Self.task(step: 2)) }
    guard case .keptBack(let reason)? = told.withLock({ $0.last }) else {
      Issue.record("the refusal was not told")
      return
    }
    #expect(reason.contains("overspend"))
  }

  @Test func anAnswerThatCannotBeNotedStays() async throws {
    struct Full: Error {}
    let ledgers = VolatilePrivacyLedgers()
    let worker = SiteWorker(
      executor: Self.echoing,
      filters: SiteFilters(results: try Self.noise()),
      budget: try PrivacyBudget(epsilon: 9, delta: 0),
      ledgers: ledgers,
      decided: { _, decision in if case .charged = decision { throw Full() } }
    )
    await #expect(throws: FederationError.self) { try await worker.answer(Self.task(step: 1)) }
  }
}
