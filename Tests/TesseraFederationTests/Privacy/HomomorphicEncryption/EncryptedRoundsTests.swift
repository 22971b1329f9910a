import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// Draws an update from the site's key.
private struct Drawing: Executor {
  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let generator = try Generator(key: task.key)
    let model = try task.model.mapTensors { _, tensor in
      try tensor + Tensor.normal(tensor.shape, deviation: 0.1, using: generator)
    }
    return .weights(model, samples: site.site.exampleCount, metrics: ["loss": 1])
  }
}

/// Sends a model in the clear, whatever was agreed on.
private struct Revealing: Filter {
  var site: Int
  var encrypt: EncryptModel

  func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    context.site?.index == site ? exchange : try encrypt.apply(to: exchange, in: context)
  }
}

@Suite struct EncryptedRoundsTests {
  static let sites = (0..<4).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 7 + 5 * $0)
  }
  static let key = RandomKey(seed: 3)
  let secret: CKKSSecretKey
  let encrypt: EncryptModel

  init() throws {
    secret = try CKKSSecretKey(randomness: .insecureReproducible(Self.key["ckks"]))
    encrypt = try EncryptModel(
      key: secret,
      examples: Self.sites.reduce(0) { $0 + $1.exampleCount },
      reproducibly: true
    )
  }

  private func federation(
    _ rule: any AggregationRule = WeightedMean(),
    results: [any Filter]?,
    lanes: Int = 2
  ) throws -> Federation {
    var federation = Federation(
      workflow: try FedAvg(rounds: 3, rule: rule),
      transport: InProcessTransport(
        sites: Self.sites,
        worker: SiteWorker(
          executor: Drawing(),
          filters: results.map {
            SiteFilters(tasks: [DecryptModel(key: secret)], results: $0)
          } ?? SiteFilters()
        ),
        pool: LanePool(lanes: lanes)
      ),
      key: Self.key
    )
    if results != nil { federation.encryption = secret.context }
    return federation
  }

  private func start() throws -> WorkflowState {
    try WorkflowState(
      model: ModelState([
        (name: "weight", tensor: Tensor.zeros([70, 60])), (name: "bias", tensor: Tensor.zeros([9])),
      ])
    )
  }

  private func opened(_ state: WorkflowState) throws -> ModelState {
    let place = FilterContext(side: .site, direction: .task, site: nil, key: Self.key)
    return try DecryptModel(key: secret).apply(to: state.global, in: place).tensors
  }

  @Test func encryptedAveragingEqualsPlainAveraging() async throws {
    let plain = try await federation(results: nil).run(from: start())
    let hidden = try await federation(results: [encrypt]).run(from: start())
    let found = try opened(hidden.state)
    #expect(found.names == plain.state.model.names)
    for (a, b) in zip(found.tensors, plain.state.model.tensors) {
      expectClose(a, b, absolute: 1e-5, relative: 0)
    }
    // What the server has is bytes, and none of the model's tensors.
    #expect(hidden.state.model.names.allSatisfy { $0.hasPrefix("ckks.") })
    #expect(hidden.state.model.tensors.allSatisfy { $0.dtype == .uint8 })
  }

  @Test func itsBitsDoNotDependOnLanes() async throws {
    let one = try await federation(results: [encrypt], lanes: 1).run(from: start())
    let four = try await federation(results: [encrypt], lanes: 4).run(from: start())
    #expect(try one.state.model.isIdentical(to: four.state.model))
  }

  @Test func aModelInTheClearIsRefusedByNameAndTheRoundGoesOn() async throws {
    var round: RoundResult?
    _ = try await federation(results: [Revealing(site: 1, encrypt: encrypt)])
      .run(from: start()) { round = $0 }
    #expect(round?.refusals.map(\.site) == ["site-2"])
    #expect(round?.refusals.first?.reason.contains("not encrypted") == true)
    #expect(round?.contributions.count == 3)
  }

  @Test func anotherKeysModelIsRefused() async throws {
    let other = try CKKSSecretKey(randomness: .insecureReproducible(RandomKey(seed: 99)))
    let wrong = try EncryptModel(key: other, examples: 100, reproducibly: true)
    let error = await #expect(throws: FederationError.self) {
      try await federation(results: [wrong]).run(from: start())
    }
    #expect(error?.code == .tooFewSites)
  }

  @Test func rulesThatNeedToReadAreRefused() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await federation(.median, results: [encrypt]).run(from: start())
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("CoordinateMedian") == true)
  }
}
