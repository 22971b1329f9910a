import TesseraCore
import TesseraData
import TesseraFederation
import TesseraNN
import TesseraTesting
import Testing

/// A normalisation and a linear layer: as small as an image classifier can be.
private final class SmallClassifier: Layer {
  let norm: BatchNorm
  let head: Linear

  init(using generator: Generator) throws {
    norm = try BatchNorm(1)
    head = try Linear(16, 2, using: generator)
  }

  func callAsFunction(_ x: Tensor) throws -> Tensor { try head(norm(x).flattened(from: 1)) }
}

@Suite struct ClassifierExecutorTests {
  private static let sites = (0..<2).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 20)
  }
  private let dataset: LabelledImages
  private let training: ClassifierTraining
  private let partition = [Array(0..<20), Array(20..<40)]

  init() throws {
    // The second class is brighter.
    let labels = (0..<40).map { $0 % 2 }
    let noise = try Tensor.uniform([40, 1, 4, 4], in: 0..<100, using: Generator(seed: 4))
    let offset = try Tensor(labels).to(.float32).reshaped(to: [40, 1, 1, 1]) * 100
    dataset = try LabelledImages(
      name: "two shades",
      images: (noise + offset).to(.uint8),
      labels: Tensor(labels),
      classNames: ["dark", "bright"]
    )
    training = ClassifierTraining(dataset: dataset, batchSize: 8, learningRate: .constant(0.1)) {
      try SmallClassifier(using: $0)
    }
  }

  private func start() throws -> ModelState { try training.initialState(key: RandomKey(seed: 1)) }

  private func executor(
    _ algorithm: any SiteAlgorithm = .plain,
    validation: [[Int]]? = nil,
    keepsLocalModel: Bool = false
  ) -> ClassifierExecutor {
    ClassifierExecutor(
      training: training,
      partition: partition,
      epochs: 2,
      algorithm: algorithm,
      validation: validation,
      keepsLocalModel: keepsLocalModel
    )
  }

  private func ask(
    _ executor: ClassifierExecutor,
    _ name: TaskName,
    _ data: Exchange? = nil,
    site: Site = sites[0],
    memory: SiteMemory = SiteMemory()
  ) async throws -> Exchange {
    let task = SiteTask(
      name: name,
      site: site,
      data: try data ?? .weights(start()),
      key: RandomKey(seed: 2)
    )
    return try await executor.execute(task, at: SiteContext(site: site, memory: memory))
  }

  @Test func aTrainedModelSaysHowItWasTrained() async throws {
    let answer = try await ask(executor(.fedProx(mu: 0.1)), .train)
    #expect(answer.kind == .weights)
    #expect(answer.metadata.samples == 20)
    #expect(answer.metadata.steps == 6)
    #expect(answer.metadata.algorithm == "fedprox")
    #expect(try #require(answer.metrics["loss"]) > 0)
  }

  @Test func aStrongPullKeepsTheModelNearTheGlobalOne() async throws {
    func distance(_ mu: Double) async throws -> Double {
      let answer = try await ask(executor(.fedProx(mu: mu)), .train)
      let before = try start()
      return try ["head.weight", "norm.bias"].map { name in
        try #require(answer.tensors[name]) - #require(before[name])
      }.totalNorm()
    }
    let (free, held) = (try await distance(0), try await distance(3))
    #expect(held < 0.7 * free)
  }

  @Test func modelsAreMeasuredOnWhatIsHeldOut() async throws {
    let trained = try await ask(executor(), .train)
    let own = try await ask(executor(), .evaluate, trained)
    #expect(own.kind == .metrics)
    #expect(own.metadata.samples == 20)
    let score = try ClassifierScore(
      of: training.model(with: trained.tensors),
      on: dataset,
      in: 0..<20
    ).evaluation
    #expect(own.metrics == ["accuracy": score.accuracy, "loss": score.loss])

    let heldOut = executor(validation: [[30, 31, 32], []])
    let other = try await ask(heldOut, .evaluate, trained)
    #expect(other.metadata.samples == 3)
    let nothing = try await ask(heldOut, .evaluate, trained, site: Self.sites[1])
    #expect(nothing.returnCode == .nothingToShare)
    #expect(nothing.headers["reason"]?.contains("site-2") == true)
  }

  @Test func dittoMeasuresItsOwnModelToo() async throws {
    let memory = SiteMemory()
    let ditto = try executor(.ditto(lambda: 0.1), keepsLocalModel: true)
    let before = try await ask(ditto, .evaluate, memory: memory)
    #expect(Set(before.metrics.keys) == ["accuracy", "loss"])
    let trained = try await ask(ditto, .train, memory: memory)
    #expect(trained.metadata.steps == 12)
    let after = try await ask(ditto, .evaluate, trained, memory: memory)
    #expect(
      Set(after.metrics.keys) == ["accuracy", "loss", "personal accuracy", "personal loss"]
    )
    let own = try await ask(ditto, .submitModel, memory: memory)
    #expect(try own.tensors.isIdentical(to: #require(memory[Ditto.memoryName])))
    #expect(try !own.tensors.isIdentical(to: trained.tensors))
  }

  @Test func fedBNMeasuresWithTheSitesOwnNorms() async throws {
    let memory = SiteMemory()
    let names = FedBN.namesOfBatchNorms(in: try SmallClassifier(using: Generator(seed: 1)))
    let fedBN = try executor(.fedBN(names: names), keepsLocalModel: true)
    let trained = try await ask(fedBN, .train, memory: memory)
    #expect(trained.tensors.names == ["head.weight", "head.bias"])
    #expect(trained.metadata.excluded == names)
    let submitted = try await ask(fedBN, .submitModel, memory: memory)
    #expect(submitted.tensors.names == trained.tensors.names)
    // What is left out is the site's own, and so is what the server still has from the start.
    let bare = try await ask(fedBN, .evaluate, trained, memory: memory)
    var whole = trained
    whole.tensors = try start().mapTensors { trained.tensors[$0] ?? $1 }
    let replaced = try await ask(fedBN, .evaluate, whole, memory: memory)
    let foreign = try await ask(fedBN, .evaluate, whole)
    #expect(bare.metrics == replaced.metrics)
    #expect(bare.metrics != foreign.metrics)
  }

  @Test func aSiteSubmitsItsLastModelIfItKeepsIt() async throws {
    let memory = SiteMemory()
    let keeping = executor(keepsLocalModel: true)
    let early = try await ask(keeping, .submitModel, memory: memory)
    #expect(early.returnCode == .nothingToShare)
    let trained = try await ask(keeping, .train, memory: memory)
    let submitted = try await ask(keeping, .submitModel, memory: memory)
    #expect(try submitted.tensors.isIdentical(to: trained.tensors))
    #expect(submitted.metadata.samples == 20)
    let forgetful = try await ask(executor(), .submitModel, memory: memory)
    #expect(forgetful.returnCode == .unknownTask)
  }

  @Test func unknownTasksAndSitesAreRefused() async throws {
    let answer = try await ask(executor(), TaskName("paint"))
    #expect(answer.returnCode == .unknownTask)
    #expect(answer.headers["reason"]?.contains("'paint'") == true)
    for index in [-1, 2] {
      let stranger = Site(index: index, name: "stranger", exampleCount: 1)
      let error = await #expect(throws: FederationError.self) {
        try await ask(executor(), .train, site: stranger)
      }
      #expect(error?.code == .badTask)
    }
  }

  @Test func aSiteCanGiveTheFirstModel() async throws {
    let answer = try await ask(executor(), .initialize)
    let expected = try training.initialState(key: RandomKey(seed: 2))
    #expect(try answer.tensors.isIdentical(to: expected))
  }

  @Test func imagesAreHeldOutAtEachSite() throws {
    let key = RandomKey(seed: 5)
    let lists = [Array(0..<20), [20], [], Array(21..<40)]
    let parts = try ClassifierExecutor.holdingOut(0.25, of: lists, key: key)
    #expect(parts.validation.map(\.count) == [5, 0, 0, 5])
    for (index, list) in lists.enumerated() {
      #expect((parts.training[index] + parts.validation[index]).sorted() == list)
    }
    let again = try ClassifierExecutor.holdingOut(0.25, of: lists, key: key)
    #expect(again.validation == parts.validation)
    for bad in [-0.1, 1, .nan] {
      #expect(throws: FederationError.self) {
        try ClassifierExecutor.holdingOut(bad, of: lists, key: key)
      }
    }
  }
}
