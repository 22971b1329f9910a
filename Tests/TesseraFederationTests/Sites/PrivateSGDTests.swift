import TesseraCore
import TesseraData
import TesseraFederation
import TesseraNN
import Testing

@Suite struct PrivateSGDTests {
  private static let site = Site(index: 0, name: "site-1", exampleCount: 20)

  @Test func eachExamplesGradientIsClippedForItself() throws {
    let parameters = [
      try Parameter(Tensor.zeros([1])), try Parameter(Tensor.zeros([2])),
    ]
    // Norms over both parameters: 5, 0.5 and no number.
    let examples: [[[Double]]] = [[[3], [4, 0]], [[0], [0.3, 0.4]], [[.nan], [1, 1]]]
    let sgd = try PrivateSGD(clipNorm: 1, noiseMultiplier: 1e-9)
    let gradients = try sgd.gradients(
      for: parameters,
      of: examples.count,
      over: 2,
      secrets: .reproducible(RandomKey(seed: 1))
    ) { example in try examples[example].map { try Tensor($0).to(.float32) } }
    // (3/5 + 0) / 2, and ([4/5, 0] + [0.3, 0.4]) / 2.
    let values = try gradients.flatMap { try $0.array(of: Float.self) }
    for (value, expected) in zip(values, [0.3, 0.55, 0.2] as [Float]) {
      #expect(abs(value - expected) < 1e-5)
    }
    #expect(values.count == 3)
  }

  @Test func theNoiseHasTheDeviationOfTheSumAndIsDrawnEvenWithoutExamples() throws {
    let parameters = [
      try Parameter(Tensor.zeros([200, 500])), try Parameter(Tensor.zeros([200, 500])),
    ]
    let sgd = try PrivateSGD(clipNorm: 3, noiseMultiplier: 2)
    let noise = try sgd.gradients(for: parameters, of: 0, over: 4, secrets: .system) { _ in [] }
    for tensor in noise {
      // Over 100,000 draws the estimate is off by 0.2 %, one standard deviation.
      let deviation = try tensor.squared().mean().item().squareRoot()
      #expect(abs(deviation / 1.5 - 1) < 0.01)
    }
    let product = try (noise[0] * noise[1]).mean().item()
    #expect(abs(product) < 2.25 * 0.015)
  }

  @Test func stepsAndRatesAreThoseOfThePoissonSample() throws {
    let sgd = try PrivateSGD(clipNorm: 1, noiseMultiplier: 1.5)
    #expect(
      sgd.events(batchSize: 8, examples: 20, epochs: 2)
        == [
          PrivacyEvent(
            .subsampledGaussian(noiseMultiplier: 1.5, samplingRate: 0.4),
            count: 6
          )
        ]
    )
    #expect(sgd.samplingRate(batchSize: 64, examples: 20) == 1)
    #expect(sgd.events(batchSize: 8, examples: 0, epochs: 2).isEmpty)
    for bad in [0, -1, .nan, .infinity] {
      #expect(throws: FederationError.self) { try PrivateSGD(clipNorm: bad, noiseMultiplier: 1) }
      #expect(throws: FederationError.self) { try PrivateSGD(clipNorm: 1, noiseMultiplier: bad) }
    }
  }

  @Test func examplesAreDrawnEachForItself() throws {
    let sgd = try PrivateSGD(clipNorm: 1, noiseMultiplier: 1)
    let all = Array(0..<100)
    let draws = (0..<400).map {
      sgd.sample(all, rate: 0.3, secrets: .reproducible(RandomKey(seed: 1)[$0]))
    }
    let counts = draws.map { Double($0.count) }
    let mean = counts.reduce(0, +) / 400
    let variance = counts.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 399
    // A binomial number, of mean 30 and variance 21; the estimates are off by 0.23 and 1.5, one standard deviation.
    #expect(abs(mean - 30) < 1)
    #expect(abs(variance - 21) < 6)
    #expect(Set(draws.joined()) == Set(all))
    #expect(sgd.sample(all, rate: 1, secrets: .system) == all)
    #expect(sgd.sample(all, rate: 0, secrets: .system).isEmpty)
  }

  private static func training(
    noiseMultiplier: Double,
    clipNorm: Double = 1,
    model: @escaping @Sendable (Generator) throws -> any Layer = {
      try Sequential([Flatten(), Linear(4, 2, using: $0)])
    }
  ) throws -> ClassifierTraining {
    let labels = (0..<20).map { $0 % 2 }
    let images = try (Tensor(labels).to(.float32).reshaped(to: [20, 1, 1, 1]) * 200)
      .to(.uint8)
    return ClassifierTraining(
      dataset: try LabelledImages(
        name: "two shades",
        images: concatenate([images, images, images, images], along: 3).reshaped(to: [20, 1, 2, 2]),
        labels: Tensor(labels),
        classNames: ["dark", "bright"]
      ),
      batchSize: 8,
      learningRate: .constant(0.5),
      privateSGD: try PrivateSGD(clipNorm: clipNorm, noiseMultiplier: noiseMultiplier),
      model: model
    )
  }

  private static func worker(
    _ training: ClassifierTraining,
    epsilon: Double,
    epochs: Int = 2,
    secrets: SecretSource = .reproducible(RandomKey(seed: 3)),
    ledgers: VolatilePrivacyLedgers = VolatilePrivacyLedgers()
  ) throws -> SiteWorker {
    SiteWorker(
      executor: ClassifierExecutor(
        training: training,
        partition: [Array(0..<20)],
        epochs: epochs
      ),
      secrets: secrets,
      budget: try PrivacyBudget(epsilon: epsilon, delta: 1e-5),
      ledgers: ledgers
    )
  }

  private static func task(_ training: ClassifierTraining, step: Int = 1) throws -> SiteTask {
    SiteTask(
      step: step,
      round: step,
      site: site,
      data: .weights(try training.initialState(key: RandomKey(seed: 1))),
      key: RandomKey(seed: 2)
    )
  }

  @Test func trainingIsChargedAndLearns() async throws {
    let training = try Self.training(noiseMultiplier: 0.5)
    let ledgers = VolatilePrivacyLedgers()
    let worker = try Self.worker(training, epsilon: 1000, epochs: 10, ledgers: ledgers)
    let answer = try await worker.answer(Self.task(training))
    #expect(answer.metadata.steps == 30)
    // An exact loss would tell of the examples.
    #expect(answer.metrics.isEmpty)
    let again = try await worker.answer(Self.task(training))
    #expect(try again.tensors.isIdentical(to: answer.tensors))
    var accountant = RDPAccountant()
    try accountant.compose(
      .subsampledGaussian(noiseMultiplier: 0.5, samplingRate: 0.4),
      count: 30
    )
    let budget = try PrivacyBudget(epsilon: 1000, delta: 1e-5)
    #expect(
      try ledgers.ledger(of: "site-1").spent(under: budget) == accountant.epsilon(delta: 1e-5)
    )
    let score = try ClassifierScore(
      of: training.model(with: answer.tensors),
      on: training.dataset,
      in: 0..<20
    )
    #expect(score.correct == 20)
  }

  @Test func trainingThatWouldOverspendIsRefusedBeforeItBegins() async throws {
    struct Begun: Error {}
    let events = try PrivateSGD(clipNorm: 1, noiseMultiplier: 2)
      .events(batchSize: 8, examples: 20, epochs: 2)
    var once = RDPAccountant()
    try once.compose(events[0])
    let budget = try once.epsilon(delta: 1e-5) * 1.01
    let training = try Self.training(noiseMultiplier: 2)
    let worker = try Self.worker(training, epsilon: budget)
    _ = try await worker.answer(Self.task(training))
    let begins = try Self.training(noiseMultiplier: 2) { _ in throw Begun() }
    let start = try Self.task(training, step: 2)
    let ledgers = VolatilePrivacyLedgers()
    _ = try await Self.worker(training, epsilon: budget, ledgers: ledgers)
      .answer(Self.task(training))
    let error = await #expect(throws: FederationError.self) {
      try await Self.worker(begins, epsilon: budget, ledgers: ledgers).answer(start)
    }
    #expect(error?.code == .budgetExhausted)
    #expect(error?.message == "site-1: its privacy budget does not allow this answer")
  }

  @Test func neitherNoiseNorBatchesFollowFromTheTasksKey() async throws {
    let training = try Self.training(noiseMultiplier: 0.5)
    func answer(_ secrets: SecretSource) async throws -> ModelState {
      try await Self.worker(training, epsilon: 1000, secrets: secrets)
        .answer(Self.task(training)).tensors
    }
    let kept = SecretSource.held(HeldSecret())
    let first = try await answer(kept)
    #expect(try await answer(kept).isIdentical(to: first))
    #expect(try await !answer(.held(HeldSecret())).isIdentical(to: first))
    #expect(try await !answer(.system).isIdentical(to: answer(.system)))
  }

  @Test func aNetworkWithStatisticsOfTheDataIsRefused() async throws {
    let training = try Self.training(noiseMultiplier: 1) {
      try Sequential([BatchNorm(1), Flatten(), Linear(4, 2, using: $0)])
    }
    let error = await #expect(throws: FederationError.self) {
      try await Self.worker(training, epsilon: 1000).answer(Self.task(training))
    }
    #expect(error?.code == .invalidConfiguration)
    #expect(error?.message.contains("private_sgd") == true)
  }
}
