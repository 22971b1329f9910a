internal import TesseraCore
public import TesseraFederation
internal import TesseraNN
public import TesseraRetrieval

/// A site's part of a training by a federation: some steps of ``RetrievalTraining`` with its own pictures and texts.
///
/// It knows ``TaskName/train``: the task comes with a model, and the answer is what the site's steps have made of it. A site without
/// pictures leaves out what only pictures train, so that the mean of these tensors is that of the sites that have some; the same holds for
/// translations. The optimiser's moments do not outlast a task.
public struct RetrievalExecutor: Executor {
  /// What the model is made of.
  public let model: DualEncoderConfiguration
  /// How sites train; the steps, and the rise and fall of the step size, are those of the whole training.
  public let configuration: RetrievalTraining.Configuration
  /// How many steps a site trains in a round.
  public let localSteps: Int
  private let examples: [RetrievalExamples]
  private let tokens: TokenTable
  private let vocabulary: Int

  /// An executor for all sites of a simulation.
  ///
  /// - Parameters:
  ///   - model: What the model is made of.
  ///   - tokenizer: Turns texts into what it reads.
  ///   - examples: What each site trains on, by the sites' indices: parts of one data set, which share their texts.
  ///   - configuration: How.
  ///   - localSteps: How many steps a site trains in a round.
  /// - Throws: ``TesseraRetrieval/RetrievalError`` if sites have other texts than the first.
  public init(
    model: DualEncoderConfiguration,
    tokenizer: any Tokenizer,
    examples: [RetrievalExamples],
    configuration: RetrievalTraining.Configuration,
    localSteps: Int
  ) throws {
    let texts = examples.first?.texts ?? []
    guard examples.allSatisfy({ $0.texts.count == texts.count }) else {
      throw RetrievalError(code: .invalidArgument, message: "the sites do not share their texts")
    }
    self.model = model
    self.configuration = configuration
    self.localSteps = localSteps
    self.examples = examples
    tokens = try TokenTable(texts, by: tokenizer, atMost: model.text.limit)
    vocabulary = tokenizer.count
  }

  /// Carries out a task.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    guard task.name == .train else {
      return Exchange(
        .metrics,
        headers: ["reason": "\(task.site.name) has no work for tasks named '\(task.name)'"],
        returnCode: .unknownTask
      )
    }
    guard examples.indices.contains(task.site.index) else {
      throw FederationError(
        code: .badTask,
        message:
          "\(task.site.name) has no texts: there are \(examples.count) sites, and its index is \(task.site.index)"
      )
    }
    let own = examples[task.site.index]
    let key = RandomKey(seed: configuration.seed)["retrieval"]["sites"][task.site.index]
    let generator = try Generator(key: key["weights"])
    let encoder = try DualEncoder(model, vocabulary: vocabulary, using: generator)
    try encoder.load(task.model)
    let begin = (task.round - 1) * localSteps
    let training = try RetrievalTraining(
      encoder,
      tokens,
      own,
      configuration,
      generator: generator,
      key: key,
      after: begin
    )
    var sums: [String: Double] = [:]
    for _ in 0..<localSteps {
      try Task.checkCancellation()
      let step = try training.step()
      sums["loss", default: 0] += step.loss
      if let loss = step.pictureLoss { sums["picture loss", default: 0] += loss }
      if let loss = step.translationLoss { sums["translation loss", default: 0] += loss }
      site.progress()
    }
    let trained = try encoder.state()
    let excluded = trained.names.filter { !isTrained($0, by: own) }
    var answer = Exchange.weights(
      try ModelState(trained.entries.filter { isTrained($0.name, by: own) }),
      samples: task.site.exampleCount,
      metrics: sums.mapValues { $0 / Double(localSteps) }
    )
    answer.metadata.steps = localSteps
    answer.metadata.excluded = excluded
    return answer
  }

  /// Whether a site's examples say anything about a tensor.
  private func isTrained(_ name: String, by examples: RetrievalExamples) -> Bool {
    let parts = DualEncoder.tasks(of: name, heads: model.heads)
    return (parts.contains(.pictures) && examples.hasPictures && configuration.pictureWeight > 0)
      || (parts.contains(.translations) && !examples.translations.isEmpty
        && configuration.translations > 0 && configuration.translationWeight > 0)
  }
}
