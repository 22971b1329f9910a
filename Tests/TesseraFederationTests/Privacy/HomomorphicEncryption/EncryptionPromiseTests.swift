import Synchronization
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What is refused so that a federation with encryption sends no model in the clear.
@Suite struct EncryptionPromiseTests {
  static let site = Site(index: 0, name: "site-1", exampleCount: 20)
  let secret: CKKSSecretKey
  let encrypt: EncryptModel

  init() throws {
    secret = try CKKSSecretKey(randomness: .insecureReproducible(RandomKey(seed: 4)["ckks"]))
    encrypt = try EncryptModel(key: secret, examples: 200, reproducibly: true)
  }

  /// A workflow that says nothing about encryption.
  private struct Own: Workflow {
    let rounds = 1
    func run(_ state: inout WorkflowState, with controller: Controller) async throws {
      _ = try await controller.collect(.train, state.global, from: controller.sites)
    }
  }

  @Test func workflowsThatWouldReadModelsAreRefusedBeforeAnySiteIsAsked() async throws {
    var secure = try FedAvg(rounds: 1)
    secure.secure = SecureAggregation()
    let workflows: [(any Workflow, String)] = [
      (try Scaffold(rounds: 1), "SCAFFOLD"), (try FedNova(rounds: 1), "FedNova"),
      (try CyclicTransfer(rounds: 1), "cyclic"), (try Swarm(rounds: 1), "swarm"),
      (try FedBuff(rounds: 1, concurrency: 1), "FedBuff"),
      (CrossSiteEvaluation(), "cross-site evaluation"), (InitialWeights(), "initial weights"),
      (try StatisticsWorkflow(), "StatisticsWorkflow"), (secure, "'secure_aggregation'"),
      (try FedAvg(rounds: 1, rule: .median), "CoordinateMedian"),
      (
        try FedAvg(rounds: 1, serverOptimizer: .adam(learningRate: 0.1)), "'server_optimizer'"
      ),
      (try WorkflowChain([FedAvg(rounds: 1), CrossSiteEvaluation()]), "cross-site evaluation"),
      (Own(), "'Own'"),
    ]
    for (workflow, name) in workflows {
      let asked = Mutex(0)
      var federation = Simulation(workflow: workflow).federation(
        Doing { task, _ in
          asked.withLock { $0 += 1 }
          return .weights(task.model)
        }
      )
      federation.encryption = secret.context
      let error = await #expect(throws: FederationError.self) {
        try await federation.run(from: WorkflowState(model: model([0, 0])))
      }
      #expect(error?.code == .invalidConfiguration, "\(name)")
      #expect(error?.message.contains(name) == true, "\(name): \(error?.message ?? "")")
      #expect(asked.withLock { $0 } == 0, "\(name)")
    }
  }

  @Test func filtersOfTheServerAreRefused() async throws {
    var federation = try Simulation(workflow: FedAvg(rounds: 1)).federation(
      Doing { task, _ in .weights(task.model) }
    )
    federation.encryption = secret.context
    federation.filters.results = [try ClipNorm(norm: 1)]
    let error = await #expect(throws: FederationError.self) {
      try await federation.run(from: WorkflowState(model: model([0, 0])))
    }
    #expect(error?.message.contains("filters") == true)
  }

  private func answer(
    to data: Exchange? = nil,
    named name: TaskName = .train,
    filters: SiteFilters = SiteFilters(),
    encryption: Bool = true,
    _ body: @escaping @Sendable (SiteTask, SiteContext) async throws -> Exchange
  ) async throws -> Exchange {
    let worker = SiteWorker(
      executor: Doing(body),
      filters: filters,
      encryption: encryption ? encrypt : nil
    )
    return try await worker.answer(
      SiteTask(
        name: name,
        site: Self.site,
        data: data ?? .weights(model([1, 2])),
        key: RandomKey(seed: 2)
      )
    )
  }

  private func opened(_ exchange: Exchange) throws -> Exchange {
    let place = FilterContext(side: .site, direction: .task, site: nil, key: RandomKey(seed: 0))
    return try DecryptModel(key: secret).apply(to: exchange, in: place)
  }

  @Test func everyModelOfAnAnswerIsEncrypted() async throws {
    let parts = try await answer(
      to: .collection(["model": .weights(model([1, 2])), "control": .weights(model([5, 6]))])
    ) { _, _ in
      .collection([
        "model": .weights(try model([3, 4]), samples: 7),
        "control": .difference(try model([1, 1]), samples: 7),
      ])
    }
    for part in parts.parts.values {
      #expect(part.tensors.names.allSatisfy { $0.hasPrefix("ckks.") })
    }
    let plain = try opened(parts)
    try expectClose(#require(plain.parts["model"]?.tensors["weight"]), Tensor([3.0, 4.0]))
    try expectClose(#require(plain.parts["control"]?.tensors["weight"]), Tensor([6.0, 7.0]))
  }

  @Test func tensorsThatAreNoModelDoNotLeaveInTheClear() async throws {
    let kinds: [Exchange.Kind] = [.custom("own"), .statistics, .metrics, .collection, .analytics]
    for kind in kinds {
      let error = await #expect(throws: FederationError.self) {
        try await answer { task, _ in Exchange(kind, tensors: task.model) }
      }
      #expect(error?.code == .rejectedUpdate)
      #expect(error?.message.contains("site-1: its answer holds \(kind.name) in the clear") == true)
    }
    // Also where the answer says that it is none.
    let failed = try await answer { task, _ in
      var failed = Exchange.weights(task.model)
      failed.returnCode = .executionFailed
      return failed
    }
    #expect(failed.tensors.names.isEmpty)
    // What says that it is encrypted, and is not.
    await #expect(throws: FederationError.self) {
      try await answer { task, _ in
        var forged = Exchange(.custom("own"), tensors: task.model)
        forged.metadata.processing = [
          .init("encrypted", tensors: [], bytesBefore: 0, bytesAfter: 0)
        ]
        return forged
      }
    }
    let metrics = try await answer { _, _ in .metrics(["accuracy": 0.5], samples: 3) }
    #expect(metrics.metrics == ["accuracy": 0.5])
  }

  @Test func aModelThatAnswersNoModelIsRefused() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await answer(to: Exchange(.custom("request")), named: .submitModel) { _, _ in
        .weights(try model([1, 2]))
      }
    }
    #expect(error?.message.contains("nothing that it is an answer to") == true)
  }

  @Test func aFilterBehindEncryptionCannotUndoIt() async throws {
    struct Plain: Filter {
      func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
        .weights(try model([1, 2]))
      }
    }
    let error = await #expect(throws: FederationError.self) {
      try await answer(filters: SiteFilters(results: [encrypt, Plain()]), encryption: false) {
        task,
        _ in
        .weights(task.model)
      }
    }
    #expect(error?.message.contains("in the clear") == true)
    // Given to the site, encryption comes after all filters whatever they are.
    let sealed = try await answer(filters: SiteFilters(results: [Plain()])) { task, _ in
      .weights(task.model)
    }
    #expect(sealed.tensors.names.allSatisfy { $0.hasPrefix("ckks.") })
  }

  @Test func whatASiteKeepsIsSentAsItCame() async throws {
    let personal = try PersonalTensors(["b"])
    let worker = SiteWorker(
      executor: Doing { task, _ in
        .weights(try task.model.mapTensors { try $1 + 10 })
      },
      filters: SiteFilters(tasks: [personal], results: [personal]),
      encryption: encrypt
    )
    let start = try ModelState([
      (name: "w", tensor: Tensor([1.0, 2.0])), (name: "b", tensor: Tensor([3.0])),
    ])
    for step in 1...2 {
      let sealed = try await worker.answer(
        SiteTask(step: step, site: Self.site, data: .weights(start), key: RandomKey(seed: 2))
      )
      let plain = try opened(sealed).tensors
      #expect(plain.names == ["w", "b"])
      try expectClose(#require(plain["w"]), Tensor([11.0, 12.0]))
      // Neither the trained tensor nor the one that the site remembers.
      try expectClose(#require(plain["b"]), Tensor([3.0]))
    }
  }

  @Test func aSiteThatEncryptsMasksNothing() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await answer(named: .secureAggregation) { task, _ in .weights(task.model) }
    }
    #expect(error?.message.contains("exclude each other") == true)
  }

  @Test func ciphertextsThatWeighMoreThanTheirSiteAreRefused() async throws {
    // As if all sites together had a single example: twenty times what is allowed.
    let heavy = try EncryptModel(key: secret, examples: 1, reproducibly: true)
    struct Lying: Filter {
      var honest: EncryptModel
      var heavy: EncryptModel
      func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
        try (context.site?.index == 0 ? heavy : honest).apply(to: exchange, in: context)
      }
    }
    let sites = (0..<4).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 20) }
    let honest = try EncryptModel(key: secret, examples: 80, reproducibly: true)
    var federation = Federation(
      workflow: try FedAvg(rounds: 1),
      transport: InProcessTransport(
        sites: sites,
        worker: SiteWorker(
          executor: Doing { task, _ in .weights(task.model, weight: 1) },
          filters: SiteFilters(results: [Lying(honest: honest, heavy: heavy)])
        ),
        pool: LanePool(lanes: 1)
      ),
      key: RandomKey(seed: 1)
    )
    federation.encryption = secret.context
    var round: RoundResult?
    _ = try await federation.run(from: WorkflowState(model: model([1, 2]))) { round = $0 }
    #expect(round?.refusals.map(\.site) == ["site-1"])
    #expect(round?.refusals.first?.reason.contains("weigh more") == true)
    #expect(round?.contributions.count == 3)
  }
}
