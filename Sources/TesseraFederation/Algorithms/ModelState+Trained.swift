public import TesseraCore

extension ModelState {
  /// Whether a tensor is one that training moves along gradients, as far as its name and dtype tell.
  ///
  /// Models travel as tensors under names, which do not say what is a parameter and what a buffer. Integers and truth values are
  /// no parameters, and so are none that are called as the running statistics of batch normalisation are: `runningMean` and
  /// `runningVariance`, in PyTorch `running_mean` and `running_var`, at the end of a path. Server optimisers, control variates
  /// and normalised averages leave those alone: their plain mean counts.
  public static func isTrained(_ name: String, _ tensor: Tensor) -> Bool {
    let last = name.split(separator: ".").last ?? ""
    return tensor.dtype.isFloatingPoint
      && !["runningMean", "runningVariance", "running_mean", "running_var"].contains(last)
  }

  /// The tensors that training moves along gradients.
  func trained() throws -> ModelState { try filtered(Self.isTrained) }

  /// The tensors that meet a condition.
  func filtered(_ isIncluded: (String, Tensor) -> Bool) throws -> ModelState {
    try ModelState(entries.filter { isIncluded($0.name, $0.tensor) })
  }

  /// Zeros of the same names, shapes and dtypes.
  func zeros() throws -> ModelState {
    try mapTensors { try Tensor.zeros($1.shape, dtype: $1.dtype) }
  }

  /// Each tensor together with that of another state under the same name.
  ///
  /// - Throws: ``FederationError`` if the other has none of that shape.
  func merged(
    with other: ModelState,
    _ combine: (Tensor, Tensor) throws -> Tensor
  ) throws -> ModelState {
    try mapTensors { name, tensor in
      guard let counterpart = other[name], counterpart.shape == tensor.shape else {
        throw FederationError(
          code: .badTask,
          message: "there is no tensor '\(name)' of shape \(tensor.shape) to compute with"
        )
      }
      return try combine(tensor, counterpart).to(tensor.dtype)
    }
  }
}
