public import TesseraCore

/// Zeroes whole samples at random in training, and scales the others so that the mean stays: what a block adds, with a way around it,
/// is left out (Huang et al., 2016).
public final class StochasticDepth: Layer, ModeDependent {
  /// The share of samples that become zero.
  public let probability: Double
  /// Draws which ones.
  ///
  /// Replace it to tie the draws to a round, a site or an epoch.
  public var generator: Generator
  /// Only training drops.
  public var mode = Mode.training

  /// A layer that drops with the given probability, in `0..<1`.
  public init(_ probability: Double, using generator: Generator) throws {
    guard (0..<1).contains(probability) else {
      throw TensorError(
        code: .invalidArgument,
        message: "a probability of \(probability) to leave a block out is outside 0..<1"
      )
    }
    self.probability = probability
    self.generator = generator
  }

  /// The layer's output, of the input's shape.
  ///
  /// - Parameter x: `[batch, …]`.
  /// - Returns: Of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if there is no batch.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    guard mode == .training, probability > 0 else { return x }
    guard let batch = x.shape.first else {
      throw TensorError(code: .shapeMismatch, message: "a batch is needed, got a tensor of rank 0")
    }
    let shape = [batch] + [Int](repeating: 1, count: x.rank - 1)
    let drawn = try Tensor.uniform(shape, using: generator).isAtLeast(probability)
    return try x * (drawn.to(x.dtype).moved(to: x.device) / (1 - probability))
  }
}
