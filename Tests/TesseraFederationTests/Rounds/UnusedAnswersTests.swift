import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Sites remember what the server has used.
@Suite(.timeLimit(.minutes(20))) struct UnusedAnswersTests {
  /// The second answer of the second site has a tensor too many; each tells how often it was asked as far as it remembers.
  private static let executor = Doing { (task: SiteTask, site: SiteContext) -> Exchange in
    let asked: Double = try site.memory["asked"]?["count"].map { try $0.item() } ?? 0
    site.memory["asked"] = try ModelState([(name: "count", tensor: Tensor([asked + 1]))])
    var entries = task.model.entries.map { $0 }
    if task.site.index == 1, task.round == 2 {
      entries.append((name: "more", tensor: try Tensor([1.0])))
    }
    return .weights(try ModelState(entries), samples: 1, metrics: ["asked": asked])
  }

  private static let averaging = Script(rounds: 4) { state, controller in
    state.global =
      try await controller.gather(.train, state.global, from: controller.sites).exchange
  }

  @Test(arguments: [false, true])
  func whatASiteLearnedForARefusedAnswerIsForgotten(isInFiles: Bool) async throws {
    let folder = try TemporaryFolder()
    var simulation = Simulation(workflow: Self.averaging)
    if isInFiles { simulation.memories = try FolderSiteMemories(in: folder.path) }
    let rounds = try await simulation.run(Self.executor).rounds
    #expect(rounds[1].refusals.map(\.site) == ["site-2"])
    let told = rounds.map { round in
      round.contributions.map { $0.metrics["asked"] }
    }
    #expect(told[1] == [1, 1, 1, 1])
    // The refused site is where it was: one behind the others from then on.
    #expect(told[2] == [2, 1, 2, 2, 2])
    #expect(told[3] == [3, 2, 3, 3, 3])
    #expect(rounds.map(\.state.unusedAnswers) == [[:], [1: 2], [:], [:]])
  }

  /// What a site is told the next time is kept with the state, and is nothing that a job has come to.
  @Test func whatWasNotUsedIsNoResult() async throws {
    let transport = ManualTransport(sites: 2)
    let federation = ControllerTests.federation(transport) { state, controller in
      _ = try await controller.gather(.train, state.global, from: controller.sites)
    }
    async let outcome = federation.run(from: ControllerTests.start())
    let call = try await transport.call()
    call.answer(0)
    call.fail(1, Broken())
    call.end()
    let state = try await outcome.state
    #expect(state.unusedAnswers == [1: 1] && state.documents.isEmpty)
    let folder = try TemporaryFolder()
    let file = folder.path.appending("state.safetensors")
    try state.write(to: file)
    let read = try WorkflowState(contentsOf: file)
    #expect(read.unusedAnswers == state.unusedAnswers && read.documents.isEmpty)
  }

  /// A task that was under way when the server was killed is asked for again under another number.
  @Test func aTaskThatIsAskedForAgainBeginsFromTheSameMemory() async throws {
    @Sendable func dispatch(_ controller: Controller, _ state: WorkflowState) throws {
      try controller.dispatch([
        Dispatch(
          state.global,
          round: 1,
          flights: [.init(number: 7, site: controller.sites[0])]
        )
      ])
    }
    let killed = ManualTransport(sites: 2)
    var federation = ControllerTests.federation(killed) { state, controller in
      try dispatch(controller, state)
    }
    federation.workflow = Script(rounds: 2) { state, controller in
      try dispatch(controller, state)
    }
    federation.lastRound = 1
    let first = try await federation.run(from: ControllerTests.start()).state
    #expect(first.unusedAnswers == [0: 1])

    let transport = ManualTransport(sites: 2)
    federation = ControllerTests.federation(transport) { _, _ in }
    federation.workflow = Script(rounds: 3) { state, controller in
      if controller.round == 2 {
        try dispatch(controller, state)
        let task = try #require(try await controller.nextAnswer())
        try controller.accept(task, weight: 1)
      } else {
        _ = try await controller.gather(.train, state.global, from: controller.sites)
      }
    }
    async let outcome = federation.run(from: first)
    let again = try await transport.call()
    #expect(again.tasks.map(\.step) == [2])
    #expect(again.tasks.map(\.unusedSince) == [1])
    again.answer(0)
    again.end()
    let next = try await transport.call()
    #expect(next.tasks.map(\.unusedSince) == [nil, nil])
    next.answer(0)
    next.fail(1, Broken())
    next.end()
    #expect(try await outcome.state.unusedAnswers == [1: 3])
  }
}
