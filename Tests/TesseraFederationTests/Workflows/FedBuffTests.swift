import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite(.timeLimit(.minutes(20))) struct FedBuffTests {
  static let sites = (0..<12).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 5) }

  /// Moves each weight by a drawn number and by what the site remembers.
  static let drawing = Doing { task, site in
    let asked = try site.memory["asked"]?["weight"]?.item() ?? 0
    site.memory["asked"] = try model([asked + 1])
    return .weights(
      try task.model.mapTensors {
        try $1 + Tensor.normal($1.shape, dtype: $1.dtype, using: Generator(key: task.key)) + asked
      }
    )
  }

  static func simulation(
    _ workflow: FedBuff,
    lanes: Int = 2,
    memories: (any SiteMemoryStore)? = nil
  ) -> Simulation {
    Simulation(workflow: workflow, sites: sites, lanes: lanes, memories: memories)
  }

  static func workflow(
    rounds: Int = 6,
    bufferSize: Int = 3,
    concurrency: Int = 7,
    rate: Double = 1,
    staleness: Int? = nil,
    _ time: VirtualTime = VirtualTime()
  ) throws -> FedBuff {
    try FedBuff(
      rounds: rounds,
      bufferSize: bufferSize,
      concurrency: concurrency,
      learningRate: rate,
      maximumStaleness: staleness,
      arrival: .virtual(time)
    )
  }

  @Test func theBitsAreTheSameOnAnyNumberOfLanes() async throws {
    let one = try await Self.simulation(Self.workflow(), lanes: 1).run(Self.drawing)
    for lanes in [2, 5] {
      let many = try await Self.simulation(Self.workflow(), lanes: lanes).run(Self.drawing)
      #expect(try many.state.model.isIdentical(to: one.state.model))
      #expect(many.rounds.map(\.contributions) == one.rounds.map(\.contributions))
    }
    #expect(one.rounds.allSatisfy { $0.contributions.count == 3 })
    #expect(Set(one.rounds.flatMap { $0.contributions.map(\.weight) }).count > 1)
    #expect(one.state.documents.isEmpty && one.state.memory.isEmpty)
  }

  @Test func goingOnAfterAnyBufferThroughAFileGivesTheSameBits() async throws {
    let folder = try TemporaryFolder()
    for killed in 1..<6 {
      let memories = try FolderSiteMemories(in: folder.path.appending("whole-\(killed)"))
      var simulation = Self.simulation(try Self.workflow(), memories: memories)
      var whole: WorkflowState?
      let rest: WorkflowState
      do {
        let other = try FolderSiteMemories(in: folder.path.appending("parts-\(killed)"))
        whole = try await simulation.run(Self.drawing).state
        simulation.memories = other
        simulation.lastRound = killed
        let part = try await simulation.run(Self.drawing)
        let file = folder.path.appending("state.safetensors")
        try part.state.write(to: file)
        other.settle(at: part.state.step)
        simulation.lastRound = nil
        rest = try await simulation.run(Self.drawing, from: WorkflowState(contentsOf: file)).state
      }
      #expect(try rest.model.isIdentical(to: #require(whole).model))
      #expect(rest.step == whole?.step)
    }
  }

  @Test func everyTaskIsCarriedOutOnce() async throws {
    let keys = Told<UInt64>()
    let counting = Doing { task, site in
      keys.add(task.key.value)
      return .weights(task.model)
    }
    let result = try await Self.simulation(Self.workflow()).run(counting)
    #expect(keys.all.count == 6 * 3)
    #expect(Set(keys.all).count == keys.all.count)
    #expect(result.rounds.allSatisfy { $0.refusals.isEmpty })
  }

  /// Two sites: the one answers at 1, 2, 3, …, the other at 2.5, 5, …; each moves the model it was sent by 1.
  @Test func stalenessAndTheServersStepAreThoseOfThePaper() async throws {
    let time = VirtualTime(.constant(1)) { $0.index == 0 ? 1 : 0.4 }
    var simulation = Simulation(
      workflow: try FedBuff(
        rounds: 3,
        bufferSize: 1,
        concurrency: 2,
        learningRate: 0.5,
        arrival: .virtual(time)
      )
    )
    simulation.sites = Array(Self.sites.prefix(2))
    let moving = Doing { task, _ in .weights(try task.model.mapTensors { try $1 + 1 }) }
    let rounds = try await simulation.run(moving).rounds
    #expect(rounds.map { $0.contributions[0].index } == [0, 0, 1])
    // The third update began two steps ago.
    #expect(rounds.map { $0.contributions[0].weight } == [1, 1, 1 / Double(3).squareRoot()])
    let values = try rounds.map { try #require($0.model["weight"])[0].item() }
    let expected = [0.5, 1, 1 + 0.5 / Double(3).squareRoot()]
    for (value, expected) in zip(values, expected) { #expect(abs(value - expected) < 1e-6) }
  }

  @Test func aDifferenceCountsAsItIs() async throws {
    let moving = Doing { task, _ in .difference(try task.model.mapTensors { try $1 * 0 + 2 }) }
    let result = try await Self.simulation(
      Self.workflow(rounds: 1, VirtualTime(.uniform(from: 1, to: 2)))
    ).run(moving)
    expectClose(try #require(result.state.model["weight"]), [2, 2])
  }

  @Test func updatesThatAreTooOldAreRefused() async throws {
    let time = VirtualTime(.constant(1)) { $0.index == 3 ? 0.1 : 1 }
    let result = try await Self.simulation(
      Self.workflow(rounds: 20, concurrency: 12, staleness: 1, time)
    ).run(Self.drawing)
    let refusals = result.rounds.flatMap(\.refusals)
    #expect(!refusals.isEmpty)
    #expect(refusals.allSatisfy { $0.reason.contains("steps ago, where 1 are allowed") })
    #expect(
      result.rounds.flatMap(\.contributions).allSatisfy { $0.weight >= 1 / Double(2).squareRoot() }
    )
  }

  @Test func sitesThatFailAreReplacedAndListed() async throws {
    let failing = Doing { task, site in
      if site.site.index < 4 { throw Broken() }
      if site.site.index == 4 { return .weights(try model([.infinity, 0])) }
      return .weights(try task.model.mapTensors { try $1 + 1 })
    }
    let one = try await Self.simulation(Self.workflow(), lanes: 1).run(failing)
    let three = try await Self.simulation(Self.workflow(), lanes: 3).run(failing)
    #expect(try one.state.model.isIdentical(to: three.state.model))
    #expect(one.rounds.map(\.refusals.count) == three.rounds.map(\.refusals.count))
    #expect(one.rounds.allSatisfy { $0.contributions.count == 3 })
    #expect(one.rounds.flatMap(\.refusals).contains { $0.site == "site-5" })
  }

  @Test func whenAllFailTheRunEnds() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await Self.simulation(Self.workflow()).run(Doing { _, _ in throw Broken() })
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("31 tasks came to nothing") == true)
  }

  @Test func settingsThatMakeNoSenseAreRefused() async throws {
    #expect(throws: FederationError.self) { try FedBuff(rounds: 0, concurrency: 1) }
    #expect(throws: FederationError.self) { try FedBuff(rounds: 1, bufferSize: 0, concurrency: 1) }
    #expect(throws: FederationError.self) { try FedBuff(rounds: 1, concurrency: 0) }
    #expect(throws: FederationError.self) {
      try FedBuff(rounds: 1, concurrency: 1, learningRate: .nan)
    }
    #expect(throws: FederationError.self) {
      try FedBuff(rounds: 1, concurrency: 1, maximumStaleness: -1)
    }
    let times = [
      VirtualTime(.constant(-1)), VirtualTime(.constant(.nan)),
      VirtualTime(.uniform(from: 2, to: 1)), VirtualTime { _ in 0 },
    ]
    for workflow in try [Self.workflow(concurrency: 13)] + times.map({ try Self.workflow($0) }) {
      let error = await #expect(throws: FederationError.self) {
        try await Self.simulation(workflow).run(Self.drawing)
      }
      #expect(error?.code == .invalidConfiguration)
    }
  }

  @Test func inRealTimeAnswersAreTakenAsTheyComeAndWorkGoesOnBetweenBuffers() async throws {
    let transport = ManualTransport(sites: 3)
    let federation = Federation(
      workflow: try FedBuff(rounds: 3, bufferSize: 1, concurrency: 2, arrival: .real),
      transport: transport,
      key: RandomKey(seed: 1)
    )
    let rounds = Told<RoundResult>()
    async let outcome = federation.run(from: WorkflowState(model: model([0]))) { rounds.add($0) }
    let first = try await transport.call()
    #expect(first.tasks.count == 2)
    first.answer(0, .difference(try model([1])))
    let second = try await transport.call()
    #expect(second.tasks.map(\.round) == [2])
    second.answer(0, .difference(try model([1])))
    // The slow one of the first call is still at work, two steps later.
    let third = try await transport.call()
    first.answer(1, .difference(try model([Double(3).squareRoot()])))
    expectClose(try await outcome.state.model["weight"] ?? Tensor(0.0), [3])
    #expect(await third.wasStopped)
    #expect(
      rounds.all.map { $0.contributions.map(\.weight) } == [[1], [1], [1 / Double(3).squareRoot()]]
    )
  }

  @Test func aSiteThatIsAtWorkIsNotSentASecondTask() async throws {
    let transport = ManualTransport(sites: 1)
    let script = Script { state, controller in
      let data = state.global
      let flight = Dispatch.Flight(number: 1, site: controller.sites[0])
      try controller.dispatch([Dispatch(state.global, round: 1, flights: [flight])])
      #expect(controller.tasksUnderWay == [1])
      let other = Dispatch.Flight(number: 2, site: controller.sites[0])
      #expect(throws: FederationError.self) {
        try controller.dispatch([Dispatch(data, round: 1, flights: [other])])
      }
      controller.abandonTasks()
      #expect(try await controller.nextAnswer() == nil)
      try controller.dispatch([Dispatch(state.global, round: 1, flights: [other])])
      #expect(try await controller.nextAnswer()?.number == 2)
      #expect(controller.tasksUnderWay.isEmpty)
    }
    let federation = Federation(workflow: script, transport: transport, key: RandomKey(seed: 1))
    async let outcome = federation.run(from: WorkflowState(model: model([0])))
    let first = try await transport.call()
    #expect(await first.wasStopped)
    try await transport.call().answer(0)
    _ = try await outcome
  }
}
