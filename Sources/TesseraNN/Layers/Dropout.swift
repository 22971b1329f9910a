public import TesseraCore

/// Zeroes elements at random in training, and scales the others so that the mean stays (Srivastava et al., 2014).
public final class Dropout: Layer, ModeDependent {
  /// The share of elements that become zero.
  public let probability: Double
  /// Draws which ones.
  ///
  /// Replace it to tie the draws to a round, a site or an epoch.
  public var generator: Generator
  /// Only training drops.
  public var mode = Mode.training

  /// A layer that drops with the given probability, in `0...1`.
  public init(_ probability: Double = 0.5, using generator: Generator) throws {
    guard (0...1).contains(probability) else {
      throw TensorError(
        code: .invalidArgument,
        message: "a dropout probability of \(probability) is outside 0...1"
      )
    }
    self.probability = probability
    self.generator = generator
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    guard mode == .training, probability > 0 else { return x }
    return try x.droppedOut(probability: probability, using: generator)
  }
}
