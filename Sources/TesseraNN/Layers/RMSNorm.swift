public import TesseraCore

/// Division by the root of the mean square over the last dimensions, `x / √(mean(x²) + epsilon) · weight`
/// (Zhang and Sennrich, 2019).
public final class RMSNorm: Layer {
  /// The sizes of the dimensions to normalise over.
  public let shape: [Int]
  /// Of that shape, one at first.
  public let weight: Parameter?
  /// Added to the mean square.
  public let epsilon: Double

  /// A layer over the last dimensions.
  ///
  /// - Parameters:
  ///   - shape: The sizes of the dimensions.
  ///   - isAffine: Whether the result is scaled by learned numbers.
  ///   - epsilon: Added to the mean square.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(_ shape: [Int], isAffine: Bool = true, epsilon: Double = 1e-5) throws {
    self.shape = shape
    weight = isAffine ? try Parameter(.ones(shape)) : nil
    self.epsilon = epsilon
  }

  /// A layer over the last dimensions, of the given sizes.
  public convenience init(_ shape: Int..., isAffine: Bool = true, epsilon: Double = 1e-5) throws {
    try self.init(shape, isAffine: isAffine, epsilon: epsilon)
  }

  /// The layer's output, of the input's shape.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try Tensor.call(
      "aten::rms_norm",
      .tensor(x),
      .ints(shape),
      weight.map { .tensor($0.value) } ?? .none,
      .double(epsilon)
    ).single()
  }
}
