public import TesseraCore

/// A change to images on their way into a batch.
///
/// A sample's result depends on the sample and its key alone, never on the other samples of the batch, so that results do not
/// depend on batch sizes or workers.
public protocol SampleTransform: Sendable {
  /// The changed images.
  ///
  /// - Parameters:
  ///   - batch: `[batch, channels, height, width]`, `float32`.
  ///   - keys: One for each sample, for what is drawn.
  /// - Returns: `[batch, channels, height, width]`, `float32`.
  /// - Throws: ``DataError`` if the batch has another shape or number of keys, or a setting is outside what is allowed.
  func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor
}

extension SampleTransform {
  /// Refuses what is no batch of images with one key each.
  func check(_ batch: Tensor, _ keys: [RandomKey]) throws {
    guard batch.rank == 4, batch.shape[0] == keys.count else {
      throw DataError(
        code: .invalidArgument,
        message: """
          a transform takes [batch, channels, height, width] and a key for each image, not \
          \(batch) and \(keys.count) keys
          """
      )
    }
  }
}
