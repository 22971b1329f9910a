internal import TesseraCore
internal import TesseraNN

/// Trains the global model on a site's own images, or measures it there.
public struct ClassifierExecutor: Executor {
  /// How it is trained.
  public let training: ClassifierTraining
  /// Which images each site has, by the site's index.
  public let partition: [[Int]]
  /// How often each image is used in a round.
  public let epochs: Int

  /// An executor for all sites of a simulation.
  public init(training: ClassifierTraining, partition: [[Int]], epochs: Int) {
    self.training = training
    self.partition = partition
    self.epochs = epochs
  }

  /// Trains, and weighs the result by the number of images.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let indices = partition[task.site.index]
    let (state, loss) = try training.train(
      task.model,
      on: indices,
      epochs: epochs,
      key: task.key,
      rates: { _ in training.learningRate.rate(at: task.round - 1) },
      finishEpoch: { _, _ in site.progress() }
    )
    return .weights(state, samples: indices.count, metrics: ["loss": loss])
  }
}
