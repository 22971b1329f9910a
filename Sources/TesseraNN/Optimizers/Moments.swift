internal import TesseraCore

/// What an optimiser keeps for each parameter: how many steps it took, and the tensors that remember its gradients.
struct Moments {
  /// Begins the names in a checkpoint, so that one optimiser does not go on from another's.
  private let owner: String
  private let names: [String]
  private var steps: [Int]
  private var tensors: [[Tensor]]

  /// Zeros for each name and parameter; `shape` gives their shape.
  init(
    of owner: String,
    _ names: [String],
    for parameters: [Parameter],
    shape: (_ name: String, _ parameter: Parameter) -> [Int] = { $1.value.shape }
  ) throws {
    self.owner = owner
    self.names = names
    steps = [Int](repeating: 0, count: parameters.count)
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

  /// Parameters that one call of a kernel changes: they are alike in all that the kernel takes one number for.
  struct Group {
    fileprivate struct Likeness: Hashable {
      var step: Int
      var rateFactor: Double
      var decayFactor: Double
    }
    fileprivate let likeness: Likeness
    let kernels: OptimizerKernels
    let gradients: [Tensor]
    /// One list for each name.
    let moments: [[Tensor]]
    /// The number of this step, from 1.
    var step: Int { likeness.step }
    /// What the learning rate is multiplied by.
    var rateFactor: Double { likeness.rateFactor }
    /// What the weight decay is multiplied by.
    var decayFactor: Double { likeness.decayFactor }
  }

  /// One step of the parameters that are trained, which counts once all kernels have succeeded.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the gradients do not fit, and what `kernel`
  ///   throws.
  mutating func step(
    _ parameters: [Parameter],
    along gradients: [Tensor],
    by kernel: (Group) throws -> Void
  ) throws {
    try check(gradients, for: parameters)
    let trained = parameters.indices.filter { parameters[$0].isTrained }
    let groups = Dictionary(grouping: trained) { index in
      Group.Likeness(
        step: steps[index] + 1,
        rateFactor: parameters[index].rateFactor,
        decayFactor: parameters[index].decayFactor
      )
    }
    // Kernels refuse what has moved before they change anything; with several of them, all must be asked first.
    if groups.count > 1 { try checkLayouts(of: trained.map { ($0, parameters[$0].value) }) }
    for (likeness, members) in groups.sorted(by: { $0.value[0] < $1.value[0] }) {
      try kernel(
        Group(
          likeness: likeness,
          kernels: OptimizerKernels(parameters: members.map { parameters[$0].value }),
          gradients: members.map { gradients[$0] },
          moments: tensors.map { list in members.map { list[$0] } }
        )
      )
    }
    for index in trained { steps[index] += 1 }
  }

  private func checkLayouts(of values: [(index: Int, tensor: Tensor)]) throws {
    for (index, value) in values {
      for moment in tensors.map({ $0[index] }) where moment.shape == value.shape {
        guard moment.strides == value.strides, moment.dtype == value.dtype,
          moment.device == value.device
        else {
          throw TensorError(
            code: .invalidArgument,
            message: """
              a parameter's layout, dtype or device is no longer what it was when the optimiser was \
              made: make a new one
              """
          )
        }
      }
    }
  }

  private func check(_ gradients: [Tensor], for parameters: [Parameter]) throws {
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

  func state() throws -> ModelState {
    var entries = [(name: "\(owner).steps", tensor: try Tensor(steps))]
    for (name, list) in zip(names, tensors) {
      for (index, tensor) in list.enumerated() {
        entries.append((name: "\(owner).\(name).\(index)", tensor: try tensor.copied()))
      }
    }
    return try ModelState(entries)
  }

  mutating func load(_ state: ModelState) throws {
    func entry(_ name: String, _ shape: [Int]) throws -> Tensor {
      guard let tensor = state["\(owner).\(name)"], tensor.shape == shape else {
        throw TensorError(
          code: .shapeMismatch,
          message: "the optimiser's state has no '\(owner).\(name)' of shape \(shape)"
        )
      }
      return tensor
    }
    let count = 1 + tensors.reduce(0) { $0 + $1.count }
    guard state.names.count <= count else {
      throw TensorError(
        code: .invalidArgument,
        message: "the optimiser's state has \(state.names.count) tensors where \(count) are known"
      )
    }
    let steps = try entry("steps", [steps.count])
    guard steps.dtype == .int64 else {
      throw TensorError(
        code: .shapeMismatch,
        message: "'\(owner).steps' is of \(steps.dtype), not int64"
      )
    }
    let loadedSteps = try steps.array(of: Int.self)
    // Beyond, a step more is none for the kernels, which count in float64.
    guard loadedSteps.allSatisfy((0..<1 << 53).contains) else {
      throw TensorError(
        code: .invalidArgument,
        message: "a number in '\(owner).steps' is outside 0..<2^53"
      )
    }
    let loaded = try zip(names, tensors).map { name, list in
      try list.enumerated().map { index, tensor in
        let values = try entry("\(name).\(index)", tensor.shape)
        guard values.dtype.isFloatingPoint else {
          throw TensorError(
            code: .shapeMismatch,
            message: "'\(owner).\(name).\(index)' is of \(values.dtype), not of real numbers"
          )
        }
        // A file knows nothing of layouts and devices; the moments keep those of their parameter.
        let moments = try tensor.zerosInItsLayout()
        try moments.overwrite(with: values)
        return moments
      }
    }
    self.steps = loadedSteps
    tensors = loaded
  }
}

extension Tensor {
  /// Zeros in the order in memory that this tensor has, so that fused kernels walk both alike.
  fileprivate func zerosInItsLayout() throws -> Tensor {
    try Tensor.call("aten::zeros_like", .tensor(self.detached())).single()
  }
}
