import Crypto
import Foundation
import Synchronization
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What a transport makes of the tasks for one site, and of its answers.
private struct MeddlingTransport: Transport {
  let sites: [Site]
  let worker: SiteWorker
  /// What is asked in place of each task: one answer goes to the server.
  var meddle: @Sendable (SiteTask, SiteWorker) async throws -> Exchange = {
    try await $1.answer($0)
  }

  func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
    for task in tasks {
      do {
        report(.answered(task.site, .success(try await meddle(task, worker))))
      } catch {
        report(.answered(task.site, .failure(error)))
      }
    }
  }
}

/// Waits until a number of tasks have come to it.
private final class Gate: Sendable {
  private let waiting = Mutex<[CheckedContinuation<Void, Never>]>([])
  private let count: Int
  init(_ count: Int) { self.count = count }

  func pass() async {
    await withCheckedContinuation { continuation in
      let ready = waiting.withLock { list in
        list.append(continuation)
        return list.count == count ? list : []
      }
      for continuation in ready { continuation.resume() }
    }
  }
}

/// How a site guards its sessions, whatever is asked of it.
@Suite struct SecureSessionTests {
  static let sites = (0..<5).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10) }

  private struct Secure: Workflow {
    var rounds = 1
    var sums = 1
    var settings = SecureAggregation()

    func run(_ state: inout WorkflowState, with controller: Controller) async throws {
      let start = state.global
      for _ in 0..<sums {
        state.global = try await controller.gather(
          .train,
          start,
          from: controller.sites,
          securelyBy: settings
        ).exchange
      }
    }
  }

  private static func run(
    _ workflow: Secure = Secure(),
    policy: SecureAggregationPolicy = SecureAggregationPolicy(),
    identities: [Int: SiteIdentity] = [:],
    isSigned: Bool? = nil,
    quorum: Quorum = Quorum(),
    worker: SiteWorker? = nil,
    executor: any Executor = Doing { task, _ in
      .weights(try task.model.mapTensors { try $1 + 1 })
    },
    meddle: @escaping @Sendable (SiteTask, SiteWorker) async throws -> Exchange = {
      try await $1.answer($0)
    }
  ) async throws -> RoundResult {
    let key = RandomKey(seed: 5)
    let worker =
      worker
      ?? SiteWorker(
        executor: executor,
        secrets: .reproducible(key),
        policy: policy,
        identities: identities
      )
    var federation = Federation(
      workflow: workflow,
      transport: MeddlingTransport(sites: sites, worker: worker, meddle: meddle),
      key: key
    )
    federation.secrets = .reproducible(key)
    federation.quorum = quorum
    if isSigned ?? !identities.isEmpty {
      federation.identities = identities.mapValues(\.publicKey)
    }
    var result: RoundResult?
    _ = try await federation.run(from: WorkflowState(model: model([1, 2]))) { result = $0 }
    return try #require(result)
  }

  private static func identities(seed: UInt64 = 9) throws -> [Int: SiteIdentity] {
    try SiteIdentity.simulated(for: sites, key: RandomKey(seed: seed))
  }

  /// The task that asks for a vector has the model in it.
  private static func asksForVector(_ task: SiteTask) -> Bool {
    task.data.headers["message"]?.contains("maskVector") == true
  }

  private static func refusalOfSecond(
    when isIt: @escaping @Sendable (SiteTask) -> Bool,
    changing change: @escaping @Sendable (SiteTask) -> SiteTask = { $0 }
  ) async throws -> (result: RoundResult, errors: [FederationError]) {
    let errors = Mutex<[FederationError]>([])
    let result = try await run { task, worker in
      let answer = try await worker.answer(task)
      if task.site.index == 2, isIt(task) {
        do {
          _ = try await worker.answer(change(task))
        } catch let error as FederationError {
          errors.withLock { $0.append(error) }
        }
      }
      return answer
    }
    return (result, errors.withLock { $0 })
  }

  @Test(arguments: [("advertiseKeys", 5), ("shareKeys", 4), ("maskVector", 5), ("unmask", 5)])
  func aRequestThatComesTwiceIsAnsweredOnce(_ request: String, contributions: Int) async throws {
    let (result, errors) = try await Self.refusalOfSecond { task in
      task.data.headers["message"]?.contains(request) == true
    }
    #expect(errors.count == 1)
    #expect(errors.first?.code == .protocolViolation)
    // A repetition costs the site its session: without a vector by then, it is not in the sum.
    #expect(result.contributions.count == contributions)
  }

  @Test func anotherModelIsNotMaskedWithTheSameKeys() async throws {
    let other = Exchange.weights(try model([100, 200]))
    let (_, errors) = try await Self.refusalOfSecond(when: Self.asksForVector) { task in
      var task = task
      task.data.parts["data"] = other
      task.step += 1
      task.round += 1
      return task
    }
    #expect(errors.first?.code == .protocolViolation)
  }

  @Test func ofTwoRequestsAtOnceOneIsAnswered() async throws {
    let failures = Told<FederationError?>()
    let gate = Gate(2)
    let started = Mutex(0)
    let executor = Doing { task, _ in
      // Whoever works here holds the session while the other asks.
      if task.site.index == 2 {
        started.withLock { $0 += 1 }
        await gate.pass()
      }
      return .weights(task.model)
    }
    let result = try await Self.run(executor: executor) { task, worker in
      guard task.site.index == 2, Self.asksForVector(task) else {
        return try await worker.answer(task)
      }
      return try await withThrowingTaskGroup(of: Exchange?.self) { group in
        for _ in 0..<2 {
          group.addTask {
            do {
              return try await worker.answer(task)
            } catch {
              failures.add(error as? FederationError)
              await gate.pass()
              return nil
            }
          }
        }
        var answers: [Exchange] = []
        for try await answer in group { if let answer { answers.append(answer) } }
        return try #require(answers.first)
      }
    }
    #expect(started.withLock { $0 } == 1)
    #expect(failures.all.map { $0?.code } == [.protocolViolation])
    #expect(failures.all.first??.message.contains("while another") == true)
    #expect(result.contributions.count == 5)
  }

  @Test func everySumHasKeysOfItsOwn() async throws {
    let keys = Mutex<[[String]]>([])
    let draws = Mutex<[UInt64]>([])
    let executor = Doing { task, _ in
      if task.site.index == 0 { draws.withLock { $0.append(task.key.value) } }
      return .weights(task.model)
    }
    let result = try await Self.run(Secure(rounds: 2, sums: 2), executor: executor) {
      task,
      worker in
      let answer = try await worker.answer(task)
      if let message = answer.headers["message"], message.contains("cipherKey") {
        let json = try JSONDecoder().decode(SecureAggregationAnswer.self, from: Data(message.utf8))
        if case .keys(let made) = json {
          keys.withLock {
            $0.append([made.cipherKey.base64EncodedString(), made.maskKey.base64EncodedString()])
          }
        }
      }
      return answer
    }
    #expect(result.contributions.count == 10)
    // Five sites, two rounds, two sums a round.
    let all = keys.withLock { $0.flatMap { $0 } }
    #expect(all.count == 40 && Set(all).count == 40)
    // What the sites draw for one sum is not what they draw for the other.
    let drawn = draws.withLock { $0 }
    #expect(drawn.count == 4 && Set(drawn).count == 4)
  }

  @Test func aSiteThatWasStartedAnewTakesNoPartInOldSessions() async throws {
    // As if the site's process ended after it had shared its keys.
    let result = try await Self.run { task, worker in
      guard task.site.index == 1, Self.asksForVector(task) else {
        return try await worker.answer(task)
      }
      let fresh = SiteWorker(executor: Doing { task, _ in .weights(task.model) })
      return try await fresh.answer(task)
    }
    #expect(result.contributions.map(\.index) == [0, 2, 3, 4])
    #expect(result.refusals.first?.reason.contains("was not begun here") == true)
  }

  @Test func aFailureAtWorkEndsTheSession() async throws {
    let errors = Mutex<[String]>([])
    let failed = Mutex(false)
    let executor = Doing { task, _ in
      if task.site.index == 3, !failed.withLock({ $0 }) {
        failed.withLock { $0 = true }
        throw Broken()
      }
      return .weights(task.model)
    }
    let result = try await Self.run(executor: executor) { task, worker in
      do {
        return try await worker.answer(task)
      } catch {
        do {
          _ = try await worker.answer(task)
        } catch {
          errors.withLock { $0.append("\(error)") }
        }
        throw error
      }
    }
    #expect(result.contributions.map(\.index) == [0, 1, 2, 4])
    #expect(errors.withLock { $0 }.count == 1)
    #expect(errors.withLock { $0 }.first?.contains("over") == true)
  }

  @Test func sitesKnowEachOther() async throws {
    let result = try await Self.run(identities: Self.identities())
    #expect(result.contributions.count == 5)
    #expect(result.refusals.isEmpty)
  }

  /// The requests for shares with the mask keys of a site changed, as a server in the middle would.
  private static func swapping(
    _ task: SiteTask,
    signing: SiteIdentity? = nil
  ) throws -> SiteTask {
    guard let text = task.data.headers["message"] else { return task }
    let request = try JSONDecoder().decode(SecureAggregationRequest.self, from: Data(text.utf8))
    guard case .shareKeys(var message) = request else { return task }
    let forged = Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation
    message.neighbours[0].keys.maskKey = forged
    if let signing {
      message.neighbours[0].keys.signature = try signing.privateKey.signature(for: forged)
    }
    var task = task
    task.data.headers["message"] = String(
      decoding: try JSONEncoder().encode(SecureAggregationRequest.shareKeys(message)),
      as: UTF8.self
    )
    return task
  }

  @Test func aServerCannotSwapKeys() async throws {
    let identities = try Self.identities()
    let forger = identities[4]
    for signing in [nil, forger] {
      let result = try await Self.run(identities: identities) { task, worker in
        try await worker.answer(
          task.site.index == 0 ? Self.swapping(task, signing: signing) : task
        )
      }
      #expect(result.contributions.map(\.index) == [1, 2, 3, 4])
      #expect(result.refusals.first?.reason.contains("are not signed by it") == true)
    }
  }

  @Test func sitesWithIdentitiesTakeNoPartInRoundsThatAreNotSigned() async throws {
    let error = await #expect(throws: FederationError.self) {
      try await Self.run(identities: Self.identities(), isSigned: false)
    }
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("not signed") == true)
  }

  @Test func sitesThatNobodyKnowsAreNotSummedWith() async throws {
    var identities = try Self.identities()
    for (index, identity) in identities {
      var identity = identity
      identity.peers[4] = nil
      identities[index] = identity
    }
    let error = await #expect(throws: FederationError.self) {
      try await Self.run(identities: identities)
    }
    #expect(error?.message.contains("1 sites that it does not know, 4 the first") == true)
  }

  private static let noisy = SecureAggregation(
    noise: try? SecureAggregation.Noise(clipNorm: 1, multiplier: 2)
  )

  @Test func sitesSayWhatTheyDemand() async throws {
    let demands: [(SecureAggregationPolicy, SecureAggregation, String)] = [
      (.init(minimumSites: 4), .init(), "a sum of 3 sites where 4 are demanded"),
      (.init(minimumThreshold: 4), .init(), "a threshold of 3 where 4 is demanded"),
      (.init(minimumThresholdShare: 0.7), .init(), "a threshold of 3 of 5"),
      (.init(maximumDropoutFraction: 0.2), .init(), "2 of 5 sites may be missing"),
      (.init(minimumNoiseMultiplier: 0.1), .init(), "a noise multiplier of 0.0"),
      (.init(minimumNoiseMultiplier: 2.1), Self.noisy, "a noise multiplier of 1.9"),
      // Two of five are not reckoned with by the server.
      (
        .init(minimumNoiseMultiplier: 1.9, corruptFraction: 0.4), Self.noisy,
        "a noise multiplier of 1."
      ),
    ]
    for (policy, settings, reason) in demands {
      let error = await #expect(throws: FederationError.self) {
        try await Self.run(Secure(settings: settings), policy: policy)
      }
      #expect(error?.code == .tooFewSites)
      #expect(error?.message.contains(reason) == true, "\(reason): \(error?.message ?? "")")
    }
    let met = SecureAggregationPolicy(minimumThreshold: 3, minimumNoiseMultiplier: 1.9)
    let result = try await Self.run(Secure(settings: Self.noisy), policy: met)
    #expect(result.contributions.count == 5)
  }

  @Test func aHostileServersTermsAreRefused() async throws {
    for (field, lie) in [
      ("\"noisySites\":2", "\"noisySites\":2000"), ("\"clipNorm\":1", "\"clipNorm\":-1"),
      ("\"multiplier\":2", "\"multiplier\":0"), ("\"clips\":false", "\"clips\":true"),
      ("\"resolution\"", "\"resolutoin\""),
    ] {
      let result = try await Self.run(Secure(settings: Self.noisy)) { task, worker in
        var task = task
        if task.site.index == 0 {
          let terms = task.data.headers["terms"]
          #expect(terms == nil || terms?.contains(field) == true, "\(terms ?? "")")
          task.data.headers["terms"] = terms?.replacingOccurrences(of: field, with: lie)
        }
        return try await worker.answer(task)
      }
      #expect(result.contributions.map(\.index) == [1, 2, 3, 4], "\(field)")
    }
  }

  @Test func requestsThatAreDamagedAtAnyPlaceAreRefusedOrAnswered() async throws {
    let numbers = Mutex(KeyedRandomNumbers(key: RandomKey(seed: 8)))
    for _ in 0..<60 {
      // Never a trap; a site that refuses has dropped out.
      _ = try? await Self.run { task, worker in
        var task = task
        numbers.withLock { numbers in
          guard task.site.index == 0, Int.random(in: 0..<3, using: &numbers) == 0 else { return }
          for name in task.data.headers.keys.sorted() {
            var bytes = Array(task.data.headers[name, default: ""].utf8)
            guard !bytes.isEmpty else { continue }
            let place = Int.random(in: bytes.indices, using: &numbers)
            bytes[place] = .random(in: 32...126, using: &numbers)
            task.data.headers[name] = String(decoding: bytes, as: UTF8.self)
          }
        }
        return try await worker.answer(task)
      }
    }
  }

  @Test func answersThatAreDamagedAtAnyPlaceSpoilNoSum() async throws {
    let identities = try Self.identities()
    let numbers = Mutex(KeyedRandomNumbers(key: RandomKey(seed: 12)))
    var sums = 0
    for _ in 0..<40 {
      let result = try? await Self.run(identities: identities) { task, worker in
        var answer = try await worker.answer(task)
        numbers.withLock { numbers in
          guard task.site.index == 1, Int.random(in: 0..<3, using: &numbers) == 0 else { return }
          for name in answer.headers.keys.sorted() {
            var bytes = Array(answer.headers[name, default: ""].utf8)
            guard !bytes.isEmpty else { continue }
            let place = Int.random(in: bytes.indices, using: &numbers)
            bytes[place] = .random(in: 32...126, using: &numbers)
            answer.headers[name] = String(decoding: bytes, as: UTF8.self)
          }
        }
        return answer
      }
      guard let result else { continue }
      sums += 1
      try expectClose(#require(result.model["weight"]), Tensor([2.0, 3.0]))
    }
    #expect(sums > 20)
  }

  @Test func vectorsOfAnotherFormAreRefused() async throws {
    let forms: [@Sendable () throws -> Tensor] = [
      { try Tensor.zeros([3], dtype: .float32) }, { try Tensor.zeros([2], dtype: .int64) },
      { try Tensor.zeros([3, 1], dtype: .int64) }, { try Tensor.zeros([0], dtype: .int64) },
      { try Tensor.zeros([], dtype: .int64) },
    ]
    for form in forms {
      let result = try await Self.run { task, worker in
        var answer = try await worker.answer(task)
        if task.site.index == 1, answer.tensors["masked"] != nil {
          answer.tensors = try ModelState([(name: "masked", tensor: form())])
        }
        return answer
      }
      #expect(result.contributions.map(\.index) == [0, 2, 3, 4])
    }
  }

  @Test func aMandatorySiteMustBeInTheSum() async throws {
    let executor = Doing { task, _ in
      if task.site.index == 1 { throw Broken() }
      return .weights(task.model)
    }
    let others = try await Self.run(quorum: Quorum(mandatory: ["site-1"]), executor: executor)
    #expect(others.contributions.count == 4)
    let unmasked = Mutex(0)
    let error = await #expect(throws: FederationError.self) {
      try await Self.run(quorum: Quorum(mandatory: ["site-2"]), executor: executor) {
        task,
        worker in
        if task.data.headers["message"]?.contains("unmask") == true {
          unmasked.withLock { $0 += 1 }
        }
        return try await worker.answer(task)
      }
    }
    // A sum that will not be used is not opened.
    #expect(unmasked.withLock { $0 } == 0)
    #expect(error?.code == .tooFewSites)
    #expect(error?.message.contains("mandatory site 'site-2'") == true)
    let unknown = await #expect(throws: FederationError.self) {
      try await Self.run(quorum: Quorum(mandatory: ["site-9"]), executor: executor)
    }
    #expect(unknown?.code == .invalidConfiguration)
  }

  @Test func filtersForMaskedAnswersAndEncryptionAreRefused() async throws {
    for isEncrypted in [false, true] {
      var workflow = try FedAvg(rounds: 1)
      workflow.secure = SecureAggregation()
      let asked = Mutex(0)
      var federation = Simulation(workflow: workflow).federation(
        Doing { task, _ in
          asked.withLock { $0 += 1 }
          return .weights(task.model)
        }
      )
      if isEncrypted {
        federation.encryption =
          try CKKSSecretKey(randomness: .insecureReproducible(RandomKey(seed: 1))).context
      } else {
        federation.filters.results = [try ClipNorm(norm: 1)]
      }
      let error = await #expect(throws: FederationError.self) {
        try await federation.run(from: WorkflowState(model: model([0, 0])))
      }
      #expect(error?.code == .invalidConfiguration)
      #expect(asked.withLock { $0 } == 0)
    }
  }

  @Test func rulesThatMasksHideUpdatesFromAreRefused() async throws {
    var workflow = try FedAvg(rounds: 1, rule: .median)
    workflow.secure = SecureAggregation()
    let error = await #expect(throws: FederationError.self) {
      try await Simulation(workflow: workflow).run(Doing { task, _ in .weights(task.model) })
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("CoordinateMedian") == true)
  }

  @Test func noiseIsRepeatedForTheSameUpdateAlone() async throws {
    func noise(_ step: Double) async throws -> Tensor {
      let result = try await Self.run(
        Secure(settings: Self.noisy),
        executor: Doing { task, _ in .weights(try task.model.mapTensors { try $1 + step }) }
      )
      let model = try #require(result.model["weight"])
      return try model - Tensor([1 + step, 2 + step])
    }
    let first = try await noise(0.125)
    #expect(try await noise(0.125).isIdentical(to: first))
    // The same site, round and task: a difference of two answers must not be free of noise.
    let other = try await noise(0.25)
    #expect(try abs(first - other).minimum().item() > 1e-3)
  }

  @Test func theSameUpdateInASecondSumHasNoiseOfItsOwn() async throws {
    let worker = SiteWorker(
      executor: Doing { task, _ in .weights(task.model) },
      secrets: .held(HeldSecret())
    )
    // Two sums of the same sites for the same step, as of a server that wants both of what different sites survive.
    let sums = [
      try await Self.run(Secure(settings: Self.noisy), worker: worker),
      try await Self.run(Secure(settings: Self.noisy), worker: worker),
    ].map(\.model)
    let gap = try #require(sums[0]["weight"]) - #require(sums[1]["weight"])
    #expect(try abs(gap).minimum().item() > 1e-3)
  }

  @Test func aSiteWithABudgetTakesPartOnTheStrengthOfTheNoise() async throws {
    let ledgers = VolatilePrivacyLedgers()
    func run(_ settings: SecureAggregation, epsilon: Double = 9) async throws -> RoundResult {
      let worker = SiteWorker(
        executor: Doing { task, _ in .weights(task.model, metrics: ["loss": 1]) },
        secrets: .reproducible(RandomKey(seed: 5)),
        budget: try PrivacyBudget(epsilon: epsilon, delta: 1e-5),
        ledgers: ledgers
      )
      return try await Self.run(Secure(settings: settings), worker: worker)
    }
    let refused = await #expect(throws: FederationError.self) { try await run(.init()) }
    #expect(refused?.code == .tooFewSites)
    #expect(refused?.message.contains("makes it private") == true, "\(refused?.message ?? "")")
    #expect(ledgers.ledger(of: "site-1").releases.isEmpty)

    #expect(try await run(Self.noisy).contributions.count == 5)
    // The site reckons as the server does, and for itself.
    let cost = try Self.noisy.privacyEvents(for: model([1, 2]), sites: Self.sites)
    for site in Self.sites {
      #expect(ledgers.ledger(of: site.name).releases.map(\.events) == [cost])
    }
    // The same bits in another sum, also after the process ended: its survivors may be others.
    #expect(try await run(Self.noisy).contributions.count == 5)
    #expect(ledgers.ledger(of: "site-1").releases.map(\.events) == [cost, cost])
    let spent = try PrivacyBudget(epsilon: 9, delta: 1e-5).epsilon(of: cost + cost)
    let exhausted = await #expect(throws: FederationError.self) {
      try await run(Self.noisy, epsilon: spent * 1.01)
    }
    #expect(exhausted?.code == .tooFewSites)
    #expect(exhausted?.message.contains("its privacy budget does not allow") == true)
    #expect(ledgers.ledger(of: "site-1").releases.count == 2)
  }
}
