public import TesseraCore

/// Changes parameters along gradients.
///
/// An optimiser belongs to the task that owns the model. `step(minimizing:)` is exactly
/// `apply(loss.gradients(for: parameters))`; take the gradients yourself to clip them or to add noise.
public protocol Optimizer: AnyObject {
  /// What is trained, in the order of the gradients.
  var parameters: [Parameter] { get }
  /// The step size. Schedules set it before a step.
  var learningRate: Double { get set }
  /// Changes the parameters along the gradients, one for each parameter.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if they do not fit.
  func apply(_ gradients: [Tensor]) throws
  /// The number of steps and the moments, for checkpoints.
  func state() throws -> ModelState
  /// Goes on from a checkpoint of an optimiser over parameters of the same shapes.
  func load(_ state: ModelState) throws
}

extension Optimizer {
  /// One step downhill on a one-element loss.
  public func step(minimizing loss: Tensor) throws {
    try apply(loss.gradients(for: parameters))
  }

  func check(_ gradients: [Tensor]) throws {
    guard gradients.count == parameters.count else {
      throw TensorError(
        code: .shapeMismatch,
        message: "\(gradients.count) gradients for \(parameters.count) parameters"
      )
    }
    for (index, (gradient, parameter)) in zip(gradients, parameters).enumerated()
    where gradient.shape != parameter.value.shape {
      throw TensorError(
        code: .shapeMismatch,
        message: """
          gradient \(index) has shape \(gradient.shape), its parameter \(parameter.value.shape)
          """
      )
    }
  }
}

/// The tensors that an optimiser keeps for each parameter.
struct Moments {
  private(set) var step = 0
  private let names: [String]
  private(set) var tensors: [[Tensor]]

  /// Zeros for each name and parameter; `shape` gives their shape.
  init(
    _ names: [String],
    for parameters: [Parameter],
    shape: (_ name: String, _ parameter: Parameter) -> [Int] = { $1.value.shape }
  ) throws {
    self.names = names
    tensors = try names.map { name in
      try parameters.map { parameter in
        let value = parameter.value
        let shape = shape(name, parameter)
        guard shape == value.shape else {
          return try Tensor.zeros(shape, dtype: value.dtype, on: value.device)
        }
        return try value.zerosInItsLayout()
      }
    }
  }

  mutating func advance() { step += 1 }

  func state() throws -> ModelState {
    var entries = [(name: "step", tensor: try Tensor(step))]
    for (name, list) in zip(names, tensors) {
      for (index, tensor) in list.enumerated() {
        entries.append((name: "\(name).\(index)", tensor: try tensor.copied()))
      }
    }
    return try ModelState(entries)
  }

  mutating func load(_ state: ModelState) throws {
    func entry(_ name: String, _ shape: [Int]) throws -> Tensor {
      guard let tensor = state[name], tensor.shape == shape else {
        throw TensorError(
          code: .shapeMismatch,
          message: "the optimiser's state has no '\(name)' of shape \(shape)"
        )
      }
      return tensor
    }
    let loadedStep = try entry("step", []).itemAsInteger()
    let loaded = try zip(names, tensors).map { name, list in
      try list.enumerated().map { index, tensor in
        let values = try entry("\(name).\(index)", tensor.shape)
        // A file knows nothing of layouts and devices; the moments keep those of their parameter.
        let moments = try tensor.zerosInItsLayout()
        try moments.overwrite(with: values)
        return moments
      }
    }
    step = loadedStep
    tensors = loaded
  }
}

extension Tensor {
  /// Zeros in the order in memory that this tensor has, so that fused kernels walk both alike.
  fileprivate func zerosInItsLayout() throws -> Tensor {
    try Tensor.call("aten::zeros_like", .tensor(self.detached())).single()
  }
}
