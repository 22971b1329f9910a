import TesseraCore
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning
import Testing

@Suite(.timeLimit(.minutes(20))) struct NetworkRoundTests {
  private func start(elements: Int) throws -> WorkflowState {
    WorkflowState(
      model: try ModelState([
        (name: "weight", tensor: Tensor.full(0.5, shape: [elements])),
        (name: "bias", tensor: Tensor.full(-1.0, shape: [3], dtype: .float64)),
      ])
    )
  }

  /// The last model of rounds over sites in this process.
  private func simulated(
    _ sites: [Site],
    elements: Int,
    rounds: Int
  ) async throws -> ModelState {
    let federation = Federation(
      workflow: try FedAvg(rounds: rounds),
      transport: InProcessTransport(sites: sites, executor: Drawing(), pool: LanePool(lanes: 2)),
      key: RandomKey(seed: 7)
    )
    return try await federation.run(from: start(elements: elements)).state.model
  }

  /// 256 weights travel with their announcement; 1.5 million are six chunks.
  @Test(arguments: [256, 1_500_000])
  func roundsOverTheNetworkHaveTheBitsOfASimulation(elements: Int) async throws {
    let loopback = try LoopbackFederation(sites: 3)
    let server = try loopback.server()
    let start = try start(elements: elements)
    let model = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      for site in loopback.sites {
        let site = try loopback.site(site.name, port: port, Drawing())
        group.addTask { try await site.run() }
      }
      let federation = Federation(
        workflow: try FedAvg(rounds: 3),
        transport: server.transport(of: "job", to: loopback.sites),
        key: RandomKey(seed: 7)
      )
      let model = try await federation.run(from: start).state.model
      #expect(server.connectedSites.sorted() == loopback.sites.map(\.name))
      group.cancelAll()
      return model
    }
    let expected = try await simulated(loopback.sites, elements: elements, rounds: 3)
    #expect(try model.isIdentical(to: expected))
  }

  private struct Failing: Executor {
    struct Problem: Error {}
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      throw Problem()
    }
  }

  @Test func aSiteThatFailsIsRefusedByNameAndTheRoundGoesOn() async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let server = try loopback.server()
    let start = try start(elements: 10)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let working = try loopback.site("site-1", port: port, Drawing())
      let failing = try loopback.site("site-2", port: port, Failing())
      group.addTask { try await working.run() }
      group.addTask { try await failing.run() }
      let federation = Federation(
        workflow: try FedAvg(rounds: 1),
        transport: server.transport(of: "job", to: loopback.sites),
        key: RandomKey(seed: 7)
      )
      _ = try await federation.run(from: start) { result in
        #expect(result.contributions.map(\.site) == ["site-1"])
        #expect(result.refusals.map(\.site) == ["site-2"])
        #expect(result.refusals.first?.reason.contains("Problem") == true)
      }
      group.cancelAll()
    }
  }

  /// Answers with far more than the model that it was sent.
  private struct Swelling: Executor {
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      let model = try ModelState([(name: "weight", tensor: Tensor.zeros([1_000_000]))])
      return .weights(model, samples: site.site.exampleCount)
    }
  }

  @Test func anAnswerThatIsMuchLargerThanTheModelIsNotTaken() async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let server = try loopback.server()
    let start = try start(elements: 10)
    var limit = AnswerLimit(model: 64)
    limit.allowance = 1 << 20
    let answers = limit
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let working = try loopback.site("site-1", port: port, Drawing())
      let swelling = try loopback.site("site-2", port: port, Swelling())
      group.addTask { try await working.run() }
      group.addTask { try await swelling.run() }
      let federation = Federation(
        workflow: try FedAvg(rounds: 1),
        transport: server.transport(of: "job", to: loopback.sites, answers: answers),
        key: RandomKey(seed: 7)
      )
      _ = try await federation.run(from: start) { result in
        #expect(result.contributions.map(\.site) == ["site-1"])
        let reason = try #require(result.refusals.first?.reason)
        #expect(
          reason.contains(
            "the answer of site-2 to the task 'train' of job job has 4000000 bytes; the limit is"
          ),
          "\(reason)"
        )
      }
      group.cancelAll()
    }
  }

  @Test func aSiteOfAnotherFederationIsNotLetIn() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let foreign = try LoopbackFederation(sites: 1)
    let server = try loopback.server()
    let reason: String? = try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let site = try foreign.site("site-1", port: try await server.port, Drawing())
      let (events, event) = AsyncStream<ConnectionEvent>.makeStream()
      group.addTask { try await site.run { event.yield($0) } }
      defer { group.cancelAll() }
      for await case .disconnected(let reason) in events { return reason }
      return nil
    }
    #expect(reason != nil)
    #expect(server.connectedSites.isEmpty)
  }

  @Test func kitsAreForWhatTheySay() throws {
    let loopback = try LoopbackFederation(sites: 1)
    #expect(throws: ProvisioningError.self) { try FederationServer(try loopback.kit("site-1")) }
    #expect(throws: ProvisioningError.self) {
      try loopback.site("server", port: 1, Drawing())
    }
    #expect(throws: ProvisioningError.self) { try loopback.site("ada", port: 1, Drawing()) }
  }
}
