import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraNN

/// A softmax regression in `float64`, with a batch normalisation before it or without.
final class Regression: Layer {
  let norm: BatchNorm?
  let head: Linear

  init(isNormed: Bool) throws {
    norm = isNormed ? try BatchNorm(4) : nil
    head = try Linear(4, 3, using: Generator(seed: 0))
    try convert(to: .float64)
  }

  func callAsFunction(_ x: Tensor) throws -> Tensor { try head(norm?(x) ?? x) }
}

/// A trainer in a few lines: what any trainer does with an algorithm.
struct RegressionExecutor: Executor {
  let examples: [(x: Tensor, y: Tensor)]
  let algorithm: any SiteAlgorithm
  var epochs = [1, 1, 1, 1]
  var momentum = 0.0
  static let rates = [0.2, 0.15, 0.1]
  static let batch = 5

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    try await algorithm.update(for: task, at: site) { start, correction, _ in
      try train(start, correction, at: task.site, rate: Self.rates[task.round - 1])
    }.answer
  }

  private func train(
    _ start: ModelState,
    _ correction: (any GradientCorrection)?,
    at site: Site,
    rate: Double
  ) throws -> LocalTraining {
    let model = try Regression(isNormed: start.names.contains("norm.weight"))
    try model.load(start)
    let optimizer = try SGD(model.parameters, learningRate: rate, momentum: momentum)
    let correct = try correction?.begin(model.namedParameters)
    var steps = LocalSteps(momentum: momentum)
    let (x, y) = examples[site.index]
    for _ in 0..<epochs[site.index] {
      for first in stride(from: 0, to: site.exampleCount, by: Self.batch) {
        let range = first..<min(first + Self.batch, site.exampleCount)
        let gradients = try crossEntropy(model(x[range]), y[range]).gradients(for: model.parameters)
        try optimizer.apply(correct?(gradients) ?? gradients)
        steps.add(rate: rate)
      }
    }
    return LocalTraining(try model.state(), steps: steps, samples: site.exampleCount)
  }
}

/// What `make_algorithms.py` wrote.
struct AlgorithmFixture: Decodable {
  struct Examples: Decodable {
    var x: [Double]
    var y: [Int]
  }
  typealias Numbers = [String: [Double]]
  struct Case: Decodable {
    /// The global model after each round.
    var rounds: [Numbers]
    /// The server's control variate after each round.
    var controls: [Numbers]?
    /// What each site remembers at the end.
    var sites: [Numbers]?
    /// The sites that are asked in each round.
    var drawn: [[Int]]?
  }

  var sites: [Examples]
  var initial: Numbers
  var cases: [String: Case]

  static func load() throws -> AlgorithmFixture {
    let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
    let file = folder.appending("Fixtures").appending("algorithms.json")
    return try JSONDecoder().decode(Self.self, from: Data(contentsOf: URL(filePath: file.string)))
  }

  /// The model that all rounds begin with.
  func model(isNormed: Bool) throws -> ModelState {
    let shapes = ["head.weight": [3, 4], "head.bias": [3]]
    return try ModelState(
      Regression(isNormed: isNormed).state().names.map { name in
        (name, try Tensor(initial[name] ?? [], shape: shapes[name] ?? [4]))
      }
    )
  }

  func examples() throws -> [(x: Tensor, y: Tensor)] {
    try sites.map { (try Tensor($0.x, shape: [$0.y.count, 4]), try Tensor($0.y)) }
  }
}
