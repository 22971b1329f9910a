public import TesseraCore

/// An affine map of the last dimension, `y = x · weightᵀ + bias`.
public final class Linear: Layer {
  /// `[outputs, inputs]`.
  public let weight: Parameter
  /// `[outputs]`.
  public let bias: Parameter?

  /// A layer with random weights.
  ///
  /// - Parameters:
  ///   - inputs: The size of the input's last dimension.
  ///   - outputs: The size of the output's last dimension.
  ///   - hasBias: Whether there is a bias.
  ///   - initializer: For the weight; even within `±1/√inputs` if `nil`.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    _ inputs: Int,
    _ outputs: Int,
    hasBias: Bool = true,
    initializer: Initializer? = nil,
    using generator: Generator
  ) throws {
    let byFanIn = Initializer.fanIn(inputs)
    weight = try Parameter((initializer ?? byFanIn)([outputs, inputs], using: generator))
    bias = hasBias ? try Parameter(byFanIn([outputs], using: generator)) : nil
  }

  /// The layer's output.
  ///
  /// - Parameter x: `[…, inputs]`.
  /// - Returns: `[…, outputs]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.linear(weight: weight.value, bias: bias?.value)
  }
}
