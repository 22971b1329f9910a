public import TesseraCore

/// Layers one after the other.
///
///     let head = Sequential(try Linear(64, 32, using: generator), Activation(relu), …)
public final class Sequential: Layer {
  /// The layers, first to last; their parameters are named `layers.0.…`, `layers.1.…`, ….
  public let layers: [any Layer]

  /// Layers in the order of use.
  public init(_ layers: any Layer...) { self.layers = layers }

  /// Layers in the order of use.
  public init(_ layers: [any Layer]) { self.layers = layers }

  /// The output of the last layer.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try layers.reduce(x) { try $1($0) }
  }
}

/// A function without parameters, as a layer.
public final class Activation: Layer {
  private let function: (Tensor) throws -> Tensor

  /// The layer that applies a function: `Activation(relu)`, `Activation { try softmax($0, along: 1) }`.
  public init(_ function: @escaping (Tensor) throws -> Tensor) { self.function = function }

  /// The function's value.
  public func callAsFunction(_ x: Tensor) throws -> Tensor { try function(x) }
}

/// Merges all dimensions but the first.
public final class Flatten: Layer {
  /// A layer without parameters.
  public init() {}

  /// `[batch, …]` as `[batch, features]`.
  public func callAsFunction(_ x: Tensor) throws -> Tensor { try x.flattened(from: 1) }
}
