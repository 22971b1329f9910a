import Synchronization
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Everything is over within moments; what hangs fails after a while.
@Suite(.timeLimit(.minutes(20))) struct ControllerTests {
  struct Unreachable: Error {}

  static func federation(
    _ transport: any Transport,
    clock: ManualClock? = nil,
    quorum: Quorum = Quorum(),
    _ body: @escaping @Sendable (inout WorkflowState, Controller) async throws -> Void
  ) -> Federation {
    var federation = Federation(
      workflow: Script(body: body),
      transport: transport,
      key: RandomKey(seed: 1)
    )
    federation.clock = clock
    federation.quorum = quorum
    return federation
  }

  static func start() throws -> WorkflowState {
    WorkflowState(model: try model([1, 2]))
  }

  @Test func gatherFoldsByWeightInAnyOrderOfAnswers() async throws {
    let transport = ManualTransport(sites: 3)
    let federation = Self.federation(transport) { state, controller in
      let aggregate = try await controller.gather(.train, state.global, from: controller.sites)
      #expect(aggregate.contributions.map(\.index) == [0, 1, 2])
      #expect(aggregate.contributions.map(\.weight) == [1, 2, 1])
      state.global = aggregate.exchange
    }
    async let outcome = federation.run(from: Self.start())
    let call = try await transport.call()
    call.answer(2, .weights(try model([4, 4]), weight: 1))
    call.answer(0, .weights(try model([0, 0]), weight: 1))
    call.answer(1, .weights(try model([2, 6]), weight: 2))
    call.end()
    expectClose(try await outcome.state.model["weight"] ?? Tensor(0.0), [2, 4])
  }

  @Test func theWaitAfterTheMinimumLeavesOutTheSlowAndTellsThemToStop() async throws {
    let (transport, clock) = (ManualTransport(sites: 3), ManualClock())
    let quorum = Quorum(minimum: 2, waitAfterMinimum: .seconds(5))
    let federation = Self.federation(transport, clock: clock, quorum: quorum) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    let (events, results) = (Told<JournalEvent>(), Told<RoundResult>())
    async let outcome = federation.run(from: Self.start()) {
      results.add($0)
    } journal: {
      events.add($0)
    }
    let call = try await transport.call()
    call.answer(0)
    call.answer(2)
    await clock.sleeper(until: .seconds(5))
    clock.advance(to: .seconds(5))
    #expect(await call.wasStopped)
    _ = try await outcome
    // An answer that comes too late changes nothing.
    call.answer(1)
    let result = try #require(results.all.first)
    #expect(result.contributions.map(\.index) == [0, 2])
    #expect(result.refusals.map(\.site) == ["site-2"])
    #expect(result.refusals.first?.reason == "site-2: it was not waited for any longer")
    let refused = events.all.filter { if case .answerRefused = $0 { true } else { false } }
    #expect(refused.count == 1)
    #expect(events.all.last == .taskClosed(step: 1, accepted: 2))
  }

  @Test func theRoundWaitsForMandatorySitesBeyondTheMinimum() async throws {
    let transport = ManualTransport(sites: 3)
    let quorum = Quorum(minimum: 1, mandatory: ["site-3"], waitAfterMinimum: .zero)
    let clock = ManualClock()
    let federation = Self.federation(transport, clock: clock, quorum: quorum) { state, controller in
      let aggregate = try await controller.gather(.train, state.global, from: controller.sites)
      #expect(aggregate.contributions.map(\.index).contains(2))
    }
    async let outcome = federation.run(from: Self.start())
    let call = try await transport.call()
    call.answer(0)
    call.answer(1)
    call.answer(2)
    call.end()
    #expect(try await outcome.reason == .allRounds)
  }

  @Test func aMandatorySiteThatFailsEndsTheRound() async throws {
    let transport = ManualTransport(sites: 2)
    let quorum = Quorum(minimum: 1, mandatory: ["site-2"])
    let federation = Self.federation(transport, quorum: quorum) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    let run = Task { try await federation.run(from: Self.start()).reason }
    let call = try await transport.call()
    call.answer(0)
    call.fail(1, Unreachable())
    #expect(await call.wasStopped)
    let error = await #expect(throws: FederationError.self) { try await run.value }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.hasPrefix("round 1, task 'train': the mandatory site site-2") == true)
  }

  @Test func progressResetsTheClockAndSilenceIsGivenUp() async throws {
    let (transport, clock) = (ManualTransport(sites: 2), ManualClock())
    let quorum = Quorum(patience: .seconds(10))
    let federation = Self.federation(transport, clock: clock, quorum: quorum) { state, controller in
      let answers = try await controller.collect(.train, state.global, from: controller.sites)
      #expect(answers.map(\.site.name) == ["site-1"])
    }
    let (results, seen) = (Told<RoundResult>(), Told<String>())
    async let outcome = federation.run(from: Self.start()) {
      results.add($0)
    } observe: {
      if case .refused(let refusal) = $0 { seen.add(refusal.reason) }
    }
    let call = try await transport.call()
    await clock.sleeper(until: .seconds(10))
    clock.advance(to: .seconds(6))
    call.progress(0)
    clock.advance(to: .seconds(10))
    await clock.sleeper(until: .seconds(16))
    #expect(seen.all == ["site-2: no sign of progress for 10.0 seconds"])
    call.answer(0)
    #expect(await call.wasStopped)
    _ = try await outcome
    #expect(results.all.first?.refusals.map(\.reason) == seen.all)
  }

  @Test func aSiteWhoseTaskIsHeldBackIsNotBlamedForItsSilence() async throws {
    let (transport, clock) = (ManualTransport(sites: 2), ManualClock())
    let quorum = Quorum(minimum: 2, patience: .seconds(10))
    let federation = Self.federation(transport, clock: clock, quorum: quorum) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    async let outcome = federation.run(from: Self.start())
    let call = try await transport.call()
    call.hold(1)
    await clock.sleeper(until: .seconds(10))
    clock.advance(to: .seconds(9))
    call.progress(0)
    clock.advance(to: .seconds(15))
    await clock.sleeper(until: .seconds(19))
    call.answer(0)
    call.progress(1)
    clock.advance(to: .seconds(19))
    await clock.sleeper(until: .seconds(25))
    call.answer(1)
    #expect(try await outcome.reason == .allRounds)
  }

  @Test func callbacksSeeAndChangeWhatTravels() async throws {
    let transport = ManualTransport(sites: 2)
    var federation = Self.federation(transport) { state, controller in
      state.global = try await controller.gather(.train, state.global, from: controller.sites)
        .exchange
    }
    let finished = Told<String>()
    federation.callbacks.willSend = { task, exchange, sites in
      #expect(task == .train && sites.count == 2)
      var exchange = exchange
      exchange.headers["note"] = "hello"
      return exchange
    }
    federation.callbacks.didReceive = { _, exchange, site in
      var exchange = exchange
      exchange.metrics["seen"] = Double(site.index)
      return exchange
    }
    federation.callbacks.didFinish = { task, contributions, refusals in
      finished.add("\(task) \(contributions.map { $0.metrics["seen"] ?? -1 }) \(refusals.count)")
    }
    async let outcome = federation.run(from: Self.start())
    let call = try await transport.call()
    #expect(call.tasks.allSatisfy { $0.data.headers["note"] == "hello" })
    call.answer(1)
    call.answer(0)
    _ = try await outcome
    #expect(finished.all == ["train [0.0, 1.0] 0"])
  }

  @Test func aRepeatedTaskDrawsOtherNumbersAndHasTheNextStep() async throws {
    let transport = ManualTransport(sites: 1)
    let federation = Self.federation(transport) { state, controller in
      for _ in 0..<2 {
        _ = try await controller.collect(.train, state.global, from: controller.sites)
      }
      _ = try await controller.collect(.evaluate, state.global, from: controller.sites)
    }
    async let outcome = federation.run(from: Self.start())
    var tasks: [SiteTask] = []
    for _ in 0..<3 {
      let call = try await transport.call()
      tasks += call.tasks
      call.answer(0)
    }
    #expect(tasks.map(\.step) == [1, 2, 3])
    #expect(Set(tasks.map(\.key)).count == 3)
    #expect(try await outcome.state.step == 3)
  }

  @Test func answersBeyondTheLimitsAreRefused() async throws {
    let transport = ManualTransport(sites: 2)
    var federation = Self.federation(transport) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    federation.limits.bytes = 100
    let results = Told<RoundResult>()
    async let outcome = federation.run(from: Self.start()) { results.add($0) }
    let call = try await transport.call()
    call.answer(0, .weights(try model([Double](repeating: 0, count: 1000)), samples: 1))
    call.answer(1)
    _ = try await outcome
    #expect(results.all.first?.refusals.first?.reason.contains("the limit is 100") == true)
  }

  @Test func aTaskBeyondTheLimitsIsNotSent() async throws {
    let transport = ManualTransport(sites: 1)
    var federation = Self.federation(transport) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    federation.limits.bytes = 3
    let error = await #expect(throws: FederationError.self) {
      try await federation.run(from: Self.start())
    }
    #expect(error?.code == .limitExceeded)
  }

  struct Tagging: Filter {
    let tag: String
    func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
      if context.direction == .result { #expect(context.reference != nil) }
      var exchange = exchange
      exchange.headers["path", default: ""] += tag
      return exchange
    }
  }

  @Test func filtersApplyInOrderOnBothSidesAndBothWays() async throws {
    struct Echo: Executor {
      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
        var answer = Exchange.weights(task.model, samples: 1)
        answer.headers = task.data.headers
        return answer
      }
    }
    let worker = SiteWorker(
      executor: Echo(),
      filters: SiteFilters(tasks: [Tagging(tag: "c")], results: [Tagging(tag: "d")])
    )
    let sites = [Site(index: 0, name: "site-1", exampleCount: 1)]
    var federation = Self.federation(
      InProcessTransport(sites: sites, worker: worker, pool: LanePool(lanes: 1))
    ) { state, controller in
      let answers = try await controller.collect(.train, state.global, from: controller.sites)
      #expect(answers.first?.exchange.headers["path"] == "abcdef")
    }
    federation.filters.tasks = [Tagging(tag: "a"), Tagging(tag: "b")]
    federation.filters.results = [Tagging(tag: "e"), Tagging(tag: "f")]
    _ = try await federation.run(from: Self.start())
  }

  @Test func aStoppedRunReachesExecutorsAndLeavesNothing() async throws {
    /// Works until it is told to stop.
    struct Endless: Executor {
      let begun: AsyncStream<Void>.Continuation
      let ended: Told<Int>
      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
        site.memory["half"] = task.model
        begun.yield()
        while !Task.isCancelled { await Task.yield() }
        ended.add(site.site.index)
        try Task.checkCancellation()
        return .weights(task.model)
      }
    }
    final class Memories: SiteMemoryStore {
      let kept = Told<Int>()
      func contents(of site: Site, before step: Int) -> [String: ModelState] { [:] }
      func contents(of site: Site, forgettingFrom step: Int) -> [String: ModelState] { [:] }
      func keep(_ contents: [String: ModelState], of site: Site, after step: Int) { kept.add(step) }
    }
    let (begins, begun) = AsyncStream<Void>.makeStream()
    let (ended, memories) = (Told<Int>(), Memories())
    let worker = SiteWorker(executor: Endless(begun: begun, ended: ended), memories: memories)
    let sites = (0..<5).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 1) }
    let federation = Self.federation(
      InProcessTransport(sites: sites, worker: worker, pool: LanePool(lanes: 2))
    ) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    let (events, rounds) = (Told<JournalEvent>(), Told<Int>())
    let run = Task {
      try await federation.run(from: Self.start()) {
        rounds.add($0.round)
      } journal: {
        events.add($0)
      }.reason
    }
    var iterator = begins.makeAsyncIterator()
    for _ in 0..<2 { await iterator.next() }
    run.cancel()
    await #expect(throws: CancellationError.self) { try await run.value }
    #expect(ended.all.sorted() == [0, 1])
    #expect(memories.kept.all.isEmpty && rounds.all.isEmpty)
    #expect(
      events.all == [.roundStarted(1), .taskOpened(step: 1, task: .train, round: 1, sites: 5)]
    )
  }

  @Test func aJournalThatFailsEndsTheRun() async throws {
    struct DiskFull: Error {}
    let transport = ManualTransport(sites: 2)
    let asked = Told<Int>()
    let federation = Self.federation(transport) { state, controller in
      for round in 0..<3 {
        asked.add(round)
        _ = try await controller.gather(.train, state.global, from: controller.sites)
      }
    }
    let run = Task {
      try await federation.run(
        from: Self.start(),
        journal: { if case .answerAccepted = $0 { throw DiskFull() } }
      ).reason
    }
    let call = try await transport.call()
    call.answer(0)
    call.answer(1)
    await #expect(throws: DiskFull.self) { try await run.value }
    #expect(asked.all == [0])
  }
}
