public import TesseraCore

/// A tensor that training changes.
///
/// The optimiser writes to its memory in place. ``value`` therefore must not leave the task that owns the model: what leaves
/// is ``Module/state()``, a copy.
public final class Parameter {
  /// The current value, a variable that gradients can be asked for.
  public private(set) var value: Tensor
  /// What optimisers multiply the learning rate by for this parameter.
  public var rateFactor = 1.0
  /// What optimisers multiply the weight decay by for this parameter.
  ///
  /// 0 takes it out, as is usual for biases and norms:
  ///
  ///     for parameter in model.parameters where parameter.value.rank < 2 { parameter.decayFactor = 0 }
  public var decayFactor = 1.0

  /// A parameter with a first value, which is copied.
  ///
  /// - Throws: ``TensorError`` if the dtype has no gradients.
  public init(_ value: Tensor) throws {
    self.value = try value.copied().asLeaf(requiresGradient: true)
  }

  /// Replaces the value by another of the same shape.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes differ.
  public func assign(_ newValue: Tensor) throws {
    try withoutGradient { try value.overwrite(with: newValue) }
  }

  /// Whether training changes it.
  ///
  /// A frozen parameter gets zeros for a gradient.
  public var isTrained: Bool { value.requiresGradient }

  /// Stops or resumes training of this parameter.
  public func setTrained(_ isTrained: Bool) throws {
    value = try value.asLeaf(requiresGradient: isTrained)
  }

  func replace(by tensor: Tensor) throws {
    value = try tensor.asLeaf(requiresGradient: isTrained)
  }
}

/// A tensor that belongs to a model but is not trained: running statistics, position tables.
public final class Buffer {
  /// The current value.
  public private(set) var value: Tensor

  /// A buffer with a first value, which is copied.
  public init(_ value: Tensor) throws {
    self.value = try value.copied()
  }

  /// Replaces the value by another of the same shape.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes differ.
  public func assign(_ newValue: Tensor) throws {
    try withoutGradient { try value.overwrite(with: newValue) }
  }

  func replace(by tensor: Tensor) {
    value = tensor
  }
}

/// What a model is being used for.
public enum Mode: Hashable, Sendable {
  /// Dropout drops, batch normalisation uses and learns from the batch.
  case training
  /// The model is a function: no randomness, no change.
  case evaluation
}

/// A module that behaves differently in training and in evaluation.
public protocol ModeDependent: Module {
  /// What the module is being used for.
  var mode: Mode { get set }
}
