internal import Foundation
public import TesseraCore

/// How the first values of a weight are drawn.
public struct Initializer: Sendable {
  private let draw: @Sendable ([Int], Generator) throws -> Tensor

  /// An initializer from a function of the shape.
  public init(_ draw: @escaping @Sendable ([Int], Generator) throws -> Tensor) {
    self.draw = draw
  }

  /// The first values for a weight of this shape, `float32`.
  public func callAsFunction(_ shape: [Int], using generator: Generator) throws -> Tensor {
    try draw(shape, generator)
  }

  /// One value everywhere.
  public static func constant(_ value: Double) -> Initializer {
    Initializer { shape, _ in try Tensor.full(value, shape: shape) }
  }

  /// Zeros.
  public static var zeros: Initializer { constant(0) }

  /// Ones.
  public static var ones: Initializer { constant(1) }

  /// A normal distribution.
  public static func normal(mean: Double = 0, deviation: Double = 1) -> Initializer {
    Initializer { shape, generator in
      try Tensor.normal(shape, mean: mean, deviation: deviation, using: generator)
    }
  }

  /// An even distribution.
  public static func uniform(_ range: Range<Double>) -> Initializer {
    Initializer { shape, generator in try Tensor.uniform(shape, in: range, using: generator) }
  }

  /// Even within `±gain · sqrt(3 / fanIn)`, which keeps the variance through ReLU layers for a gain of `√2` (He et al., 2015).
  ///
  /// The weight is `[outputs, inputs, …kernel]`; the fan-in is the product of all sizes but the first.
  public static func kaimingUniform(gain: Double = 2.0.squareRoot()) -> Initializer {
    Initializer { shape, generator in
      let bound = gain * (3 / fans(of: shape).input).squareRoot()
      return try uniform(within: bound, shape, using: generator)
    }
  }

  /// Normal with deviation `gain / sqrt(fanIn)` (He et al., 2015).
  public static func kaimingNormal(gain: Double = 2.0.squareRoot()) -> Initializer {
    Initializer { shape, generator in
      let deviation = gain / fans(of: shape).input.squareRoot()
      return try Tensor.normal(shape, deviation: deviation, using: generator)
    }
  }

  /// Even within `±gain · sqrt(6 / (fanIn + fanOut))` (Glorot and Bengio, 2010).
  public static func xavierUniform(gain: Double = 1) -> Initializer {
    Initializer { shape, generator in
      let fans = fans(of: shape)
      let bound = gain * (6 / (fans.input + fans.output)).squareRoot()
      return try uniform(within: bound, shape, using: generator)
    }
  }

  /// Even within `±1 / sqrt(fanIn)`, PyTorch's default for linear and convolutional layers and their biases.
  public static func fanIn(_ count: Int) -> Initializer {
    let bound = 1 / Double(max(count, 1)).squareRoot()
    return uniform(-bound..<bound)
  }

  private static func uniform(
    within bound: Double,
    _ shape: [Int],
    using generator: Generator
  ) throws -> Tensor {
    guard bound >= 0 else {
      throw TensorError(code: .invalidArgument, message: "a gain must be 0 or more")
    }
    return try Tensor.uniform(shape, in: -bound..<bound, using: generator)
  }

  /// As real numbers, which do not overflow: whether there is room for the weight is found out when it is made.
  private static func fans(of shape: [Int]) -> (input: Double, output: Double) {
    let kernel = shape.dropFirst(2).reduce(1.0) { $0 * Double($1) }
    let inputs = shape.count > 1 ? Double(shape[1]) : 1
    return (max(inputs * kernel, 1), max(Double(shape.first ?? 1) * kernel, 1))
  }
}
