public import TesseraCore
internal import TesseraNN

/// Trains the global model on a site's own images by a federated algorithm, measures models there, and submits its own.
///
/// Tasks:
/// - ``TaskName/train``: the algorithm's part; see ``SiteAlgorithm``.
/// - ``TaskName/evaluate``: `accuracy` and `loss` of the model on the site's images that are held out, or on those it trains on
///   if none are; weighed by their number.
/// - ``TaskName/initialize``: a network with its first random weights.
/// - ``TaskName/submitModel``: the model that the site would use itself after its last training, if it is kept.
///
/// Tasks of other names are answered with ``ReturnCode/unknownTask``, and a header `reason`.
public struct ClassifierExecutor: Executor {
  /// How it is trained.
  public let training: ClassifierTraining
  /// Which images each site trains on, by the site's index.
  public let partition: [[Int]]
  /// How often each image is used in a round.
  public let epochs: Int
  /// What is trained from where, and what is answered.
  public let algorithm: any SiteAlgorithm
  /// Which images each site measures on, by the site's index; those it trains on if `nil`.
  public let validation: [[Int]]?
  /// Whether a site remembers its own model for ``TaskName/submitModel``.
  public let keepsLocalModel: Bool
  /// Where the site's own model lies in its memory.
  public static let modelMemoryName = "local model"

  /// An executor for all sites of a simulation.
  ///
  /// - Parameters:
  ///   - training: How it is trained.
  ///   - partition: Which images each site trains on, by the site's index.
  ///   - epochs: How often each image is used in a round.
  ///   - algorithm: What is trained from where, and what is answered.
  ///   - validation: Which images each site measures on, by the site's index; those it trains on if `nil`.
  ///   - keepsLocalModel: Whether a site remembers its own model for ``TaskName/submitModel``.
  public init(
    training: ClassifierTraining,
    partition: [[Int]],
    epochs: Int,
    algorithm: any SiteAlgorithm = .plain,
    validation: [[Int]]? = nil,
    keepsLocalModel: Bool = false
  ) {
    self.training = training
    self.partition = partition
    self.epochs = epochs
    self.algorithm = algorithm
    self.validation = validation
    self.keepsLocalModel = keepsLocalModel
  }

  /// Carries out a task.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let indices = try images(in: partition, of: task.site)
    switch task.name {
    case .train:
      return try await train(task, at: site, on: indices)
    case .evaluate:
      return try measure(
        task,
        at: site,
        on: validation.map { try images(in: $0, of: task.site) } ?? indices
      )
    case .initialize:
      site.declareFreeOfData()
      return .weights(try training.initialState(key: task.key), samples: indices.count)
    case .submitModel where keepsLocalModel:
      guard let model = site.memory[Self.modelMemoryName] else {
        return Self.refusal(.nothingToShare, "\(task.site.name) has not trained yet")
      }
      return .weights(model, samples: indices.count)
    default:
      return Self.refusal(
        .unknownTask,
        "\(task.site.name) has no work for tasks named '\(task.name)'"
      )
    }
  }

  private func train(
    _ task: SiteTask,
    at site: SiteContext,
    on indices: [Int]
  ) async throws -> Exchange {
    var steps = 0
    var trainings = 0
    let update = try await algorithm.update(for: task, at: site) { start, correction, key in
      trainings += 1
      if let sgd = training.privateSGD {
        try site.charge(
          sgd.events(batchSize: training.batchSize, examples: indices.count, epochs: epochs),
          for: "training \(trainings)"
        )
      }
      let trained = try training.train(
        start,
        on: indices,
        epochs: epochs,
        key: key,
        correction: correction,
        secrets: site.secrets(for: "training \(trainings)"),
        rates: { _ in training.learningRate.rate(at: max(task.round, 1) - 1) },
        finishEpoch: { _, _ in site.progress() },
        measuredEpoch: { site.progress(measured: ["loss": $1], step: $0) }
      )
      steps += trained.steps.count
      return trained
    }
    if keepsLocalModel { site.memory[Self.modelMemoryName] = update.model }
    var answer = update.answer
    answer.metadata.steps = steps
    answer.metadata.algorithm = algorithm.name
    return answer
  }

  private func measure(
    _ task: SiteTask,
    at site: SiteContext,
    on indices: [Int]
  ) throws -> Exchange {
    guard !indices.isEmpty else {
      return Self.refusal(.nothingToShare, "\(task.site.name) has no images to measure on")
    }
    var metrics: [String: Double] = [:]
    for (prefix, model) in try algorithm.measured(task.model, at: site) {
      let score = try ClassifierScore(
        of: training.model(with: model),
        on: training.dataset,
        at: indices
      ).evaluation
      site.progress()
      metrics[prefix + "accuracy"] = score.accuracy
      metrics[prefix + "loss"] = score.loss
    }
    return .metrics(metrics, samples: indices.count)
  }

  private func images(in lists: [[Int]], of site: Site) throws -> [Int] {
    guard lists.indices.contains(site.index) else {
      throw FederationError(
        code: .badTask,
        message:
          "\(site.name) has no images: there are \(lists.count) sites, and its index is \(site.index)"
      )
    }
    return lists[site.index]
  }

  private static func refusal(_ code: ReturnCode, _ reason: String) -> Exchange {
    Exchange(.metrics, headers: ["reason": reason], returnCode: code)
  }
}

extension ClassifierExecutor {
  /// Divides each site's images into those to train on and those to measure on.
  ///
  /// - Parameters:
  ///   - share: The share that is held out, at least 0 and below 1; a site keeps at least one image to train on.
  ///   - partition: Which images each site has.
  ///   - key: Draws which.
  /// - Returns: Both parts, by the sites' indices, in the order that the images had.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func holdingOut(
    _ share: Double,
    of partition: [[Int]],
    key: RandomKey
  ) throws -> (training: [[Int]], validation: [[Int]]) {
    try FederationError.check(share, "share", atLeast: 0, below: 1)
    var parts = (training: [[Int]](), validation: [[Int]]())
    for (site, indices) in partition.enumerated() {
      let count = min(Int((Double(indices.count) * share).rounded()), max(indices.count - 1, 0))
      let chosen = Set(SiteSample.draw(count, below: indices.count, key: key[site]))
      parts.validation.append(
        indices.enumerated().filter { chosen.contains($0.offset) }.map(\.element)
      )
      parts.training.append(
        indices.enumerated().filter { !chosen.contains($0.offset) }.map(\.element)
      )
    }
    return parts
  }
}
