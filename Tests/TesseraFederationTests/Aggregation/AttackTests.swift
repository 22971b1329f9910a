import TesseraCore
import TesseraData
import TesseraFederation
import Testing

/// Softmax regression on a site's images, by plain gradient descent.
private struct SoftmaxRegression: Executor {
  /// For each site, `[images, 196]` and the classes as `[images, 10]` zeros and ones.
  let data: [(pixels: Tensor, classes: Tensor)]

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let (pixels, classes) = data[task.site.index]
    var (weight, bias) = try Self.parameters(task.model)
    for _ in 0..<5 {
      let guess = try softmax(pixels.matmul(weight) + bias, along: 1)
      let error = try (guess - classes) / Double(pixels.shape[0])
      weight = try weight - pixels.transposed().matmul(error) * 0.6
      bias = try bias - error.sum(along: 0) * 0.6
    }
    return .weights(
      try ModelState([(name: "weight", tensor: weight), (name: "bias", tensor: bias)])
    )
  }

  static func parameters(_ model: ModelState) throws -> (weight: Tensor, bias: Tensor) {
    (try #require(model["weight"]), try #require(model["bias"]))
  }
}

/// With a fifth of the sites attacking, on real images.
@Suite struct AttackTests {
  /// 10 sites with 200 images of Fashion-MNIST each, and 1,000 others to measure on.
  private struct Setting {
    let sites = (0..<10).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 200) }
    let executor: SoftmaxRegression
    let pixels: Tensor
    let labels: Tensor

    init() throws {
      let images = try FashionMNIST.load(.test)
      func data(_ range: Range<Int>) throws -> (pixels: Tensor, labels: Tensor) {
        let part = try images.subset(Array(range))
        // Every other pixel is enough, and four times as quick.
        let pixels = try part.images.slices(in: 0..<28, along: 2, by: 2)
          .slices(in: 0..<28, along: 3, by: 2)
        return (try pixels.to(.float32).flattened(from: 1) / 255, part.labels)
      }
      executor = SoftmaxRegression(
        data: try sites.map { site in
          let (pixels, labels) = try data(site.index * 200..<(site.index + 1) * 200)
          return (pixels, try labels.oneHot(classes: 10).to(.float32))
        }
      )
      (pixels, labels) = try data(9000..<10_000)
    }

    /// The accuracy after twelve rounds.
    func accuracy(
      by rule: any AggregationRule,
      attack: ByzantineExecutor.Attack?
    ) async throws -> Double {
      let federation = Federation(
        workflow: try FedAvg(rounds: 12, rule: rule),
        transport: InProcessTransport(
          sites: sites,
          executor: attack.map { ByzantineExecutor(executor, attackers: [2, 7], attack: $0) }
            ?? executor,
          pool: LanePool(lanes: 2)
        ),
        key: RandomKey(seed: 4)
      )
      let start = try ModelState([
        (name: "weight", tensor: Tensor.zeros([196, 10])),
        (name: "bias", tensor: Tensor.zeros([10])),
      ])
      let model = try await federation.run(from: WorkflowState(model: start)).state.model
      let (weight, bias) = try SoftmaxRegression.parameters(model)
      let guess = try (pixels.matmul(weight) + bias).argmax(along: 1)
      return try guess.equals(labels).to(.float64).mean().item()
    }
  }

  @Test func robustRulesKeepTheAccuracyWhereTheMeanCollapses() async throws {
    let setting = try Setting()
    let clean = try await setting.accuracy(by: .weightedMean, attack: nil)
    #expect(clean > 0.7)
    for attack in [ByzantineExecutor.Attack.signFlip(scale: 10), .noise(deviation: 3)] {
      let mean = try await setting.accuracy(by: .weightedMean, attack: attack)
      #expect(mean < 0.6 * clean, "\(attack): the mean keeps \(mean) of \(clean)")
      for rule: any AggregationRule in [
        .median, try .trimmedMean(0.2), try .multiKrum(byzantine: 2, keeping: 6),
        try .geometricMedian(),
      ] {
        let kept = try await setting.accuracy(by: rule, attack: attack)
        #expect(kept >= 0.95 * clean, "\(attack): \(rule) keeps \(kept) of \(clean)")
      }
    }
  }

  @Test func attackersChangeNothingButTheModelsNumbers() async throws {
    struct Stepping: Executor {
      func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
        .weights(try task.model.mapTensors { try $1 + 1 }, samples: 3, metrics: ["loss": 0.5])
      }
    }
    let model = try ModelState([
      (name: "a", tensor: Tensor([1.0, 2])), (name: "steps", tensor: Tensor(7)),
    ])
    let executor = ByzantineExecutor(
      Stepping(),
      attackers: [1],
      attack: .signFlip(scale: 2)
    )
    for (index, expected) in [(0, [2.0, 3]), (1, [-1.0, 0])] {
      let site = Site(index: index, name: "site-\(index)", exampleCount: 3)
      let task = SiteTask(site: site, data: .weights(model), key: RandomKey(seed: 1))
      let answer = try await executor.execute(task, at: SiteContext(site: site))
      #expect(try answer.tensors["a"]?.array(of: Double.self) == expected)
      #expect(try answer.tensors["steps"]?.itemAsInteger() == 8)
      #expect(answer.metadata.samples == 3 && answer.metrics == ["loss": 0.5])
    }
  }
}
