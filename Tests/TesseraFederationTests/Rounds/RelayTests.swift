import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite(.timeLimit(.minutes(20))) struct RelayTests {
  @Test func aSiteMaySayWhyItHasNothing() async throws {
    let transport = ManualTransport(sites: 2)
    let federation = ControllerTests.federation(transport) { state, controller in
      let poll = try await controller.poll(.statistics, state.global, from: controller.sites)
      #expect(poll.answers.isEmpty)
      #expect(
        poll.refusals.map(\.reason) == [
          "site-1: it answered 'nothingToShare'", "site-2: three rows",
        ]
      )
    }
    async let outcome = federation.run(from: ControllerTests.start())
    let call = try await transport.call()
    call.answer(0, Exchange(.statistics, returnCode: .nothingToShare))
    call.answer(
      1,
      Exchange(.statistics, headers: ["reason": "three rows"], returnCode: .nothingToShare)
    )
    #expect(try await outcome.reason == .allRounds)
  }

  @Test func aRelayPassesOverSitesThatFailAndListsThem() async throws {
    let transport = ManualTransport(sites: 4)
    let federation = ControllerTests.federation(transport, quorum: Quorum(minimum: 2)) {
      state,
      controller in
      state.global = try await controller.relay(.train, state.global, through: controller.sites)
    }
    let results = Told<RoundResult>()
    async let outcome = federation.run(from: ControllerTests.start()) { results.add($0) }
    var call = try await transport.call()
    #expect(call.tasks.map(\.site.index) == [0])
    call.answer(0, .difference(try model([1, 1]), samples: 1))
    call = try await transport.call()
    expectClose(try #require(call.tasks[0].model["weight"]), [2, 3])
    call.fail(0, ControllerTests.Unreachable())
    call = try await transport.call()
    // What is no number, or no model, is not passed on.
    call.answer(0, .weights(try model([.nan, 1]), samples: 1))
    call = try await transport.call()
    #expect(call.tasks[0].step == 4)
    expectClose(try #require(call.tasks[0].model["weight"]), [2, 3])
    call.answer(0, .weights(try model([5, 5]), samples: 1))
    expectClose(try await outcome.state.model["weight"] ?? Tensor(0.0), [5, 5])
    #expect(results.all.first?.contributions.map(\.index) == [0, 3])
    #expect(results.all.first?.refusals.map(\.site) == ["site-2", "site-3"])
  }

  @Test func whatSitesWriteIsOneLineOfTextInRecords() async throws {
    let long = String(repeating: "é", count: 100_000)
    let transport = ManualTransport(sites: 2)
    let federation = ControllerTests.federation(transport) { state, controller in
      let poll = try await controller.poll(.statistics, state.global, from: controller.sites)
      #expect(
        poll.refusals.map(\.reason) == [
          "site-1: red [31m and a line", "site-2: \(long.prefix(492))",
        ]
      )
    }
    async let outcome = federation.run(from: ControllerTests.start())
    let call = try await transport.call()
    for (position, reason) in ["red\u{1B}[31m\nand\u{2028}a line\u{202E}", long].enumerated() {
      var answer = Exchange(.statistics, returnCode: .nothingToShare)
      answer.reason = reason
      call.answer(position, answer)
    }
    #expect(try await outcome.reason == .allRounds)
  }

  @Test(arguments: [(Double.nan, 0), (.infinity, 0), (-1, 0), (1e300, 10), (3, 3)])
  func aClaimedWeightIsRecordedAsFarAsTheSiteMayClaimIt(
    claim: Double,
    recorded: Double
  )
    async throws
  {
    let transport = ManualTransport(sites: 1)
    let federation = ControllerTests.federation(transport) { state, controller in
      state.global = try await controller.relay(.train, state.global, through: controller.sites)
    }
    let results = Told<RoundResult>()
    async let outcome = federation.run(from: ControllerTests.start()) { results.add($0) }
    try await transport.call().answer(0, .weights(try model([5, 5]), weight: claim))
    #expect(try await outcome.reason == .allRounds)
    #expect(results.all.first?.contributions.map(\.weight) == [recorded])
  }

  @Test func aRelayThatTooFewPassOnFails() async throws {
    let transport = ManualTransport(sites: 2)
    let federation = ControllerTests.federation(transport, quorum: Quorum(minimum: 2)) {
      state,
      controller in
      state.global = try await controller.relay(.train, state.global, through: controller.sites)
    }
    let run = Task { try await federation.run(from: ControllerTests.start()).reason }
    try await transport.call().answer(0)
    try await transport.call().answer(0, .metrics(["loss": 1]))
    let error = await #expect(throws: FederationError.self) { try await run.value }
    #expect(error?.message == "1 of 2 sites passed the model on, 2 are needed")
  }

  @Test func sendAsksOneSiteAndNamesItWhenItFails() async throws {
    let transport = ManualTransport(sites: 2)
    let federation = ControllerTests.federation(transport, quorum: Quorum(minimum: 2)) {
      state,
      controller in
      state.global = try await controller.send(.train, state.global, to: controller.sites[1])
      _ = try await controller.send(.train, state.global, to: controller.sites[0])
    }
    let run = Task { try await federation.run(from: ControllerTests.start()).reason }
    let call = try await transport.call()
    #expect(call.tasks.map(\.site.index) == [1])
    call.answer(0)
    try await transport.call().fail(0, ControllerTests.Unreachable())
    let error = await #expect(throws: FederationError.self) { try await run.value }
    #expect(error?.message.contains("site-1: Unreachable()") == true)
  }

  @Test func theRunEndsWhenBroadcastsHaveBeenAnswered() async throws {
    let transport = ManualTransport(sites: 2)
    let seen = Told<String>()
    let federation = ControllerTests.federation(transport) { state, controller in
      try controller.broadcast(.evaluate, state.global, to: controller.sites)
      seen.add("went on")
    }
    async let outcome = federation.run(from: ControllerTests.start()) { _ in
      seen.add("round done")
    } observe: {
      if case .notified(let site, let error) = $0 { seen.add("\(site.name) \(error ?? "ok")") }
    }
    let call = try await transport.call()
    call.answer(1)
    call.fail(0, ControllerTests.Unreachable())
    call.end()
    _ = try await outcome
    #expect(seen.all.prefix(1) == ["went on"])
    #expect(
      Set(seen.all) == ["went on", "round done", "site-2 ok", "site-1 site-1: Unreachable()"]
    )
    #expect(!(await call.wasStopped))
  }
}
