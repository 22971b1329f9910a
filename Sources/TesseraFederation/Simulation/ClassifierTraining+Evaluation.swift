public import TesseraCore
public import TesseraData

extension ClassifierTraining {
  /// Accuracy and loss of a model on some images, in parts that the lanes share.
  ///
  /// The parts do not depend on the number of lanes, and neither do the bits.
  ///
  /// - Throws: `CancellationError` if the task is cancelled, and what the model throws.
  public func evaluation(
    of state: ModelState,
    on images: LabelledImages,
    pool: LanePool
  ) async throws -> Evaluation {
    let parts = stride(from: 0, to: images.count, by: 1000).map {
      $0..<min($0 + 1000, images.count)
    }
    let scores = try await pool.map(parts) { range in
      try ClassifierScore(of: model(with: state), on: images, in: range)
    }
    var total = ClassifierScore()
    for score in scores { total += score }
    return total.evaluation
  }
}
