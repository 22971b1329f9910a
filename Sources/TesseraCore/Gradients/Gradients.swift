internal import CTessera

extension Tensor {
  /// The derivatives of this one-element tensor by each of `inputs`.
  ///
  ///     let x = try Tensor([3.0]).asVariable()
  ///     let slope = try (x * x).sum().gradients(for: [x])[0]  // 6
  ///
  /// Gradients are returned, never accumulated in the inputs. The recorded graph is used up, unless the gradients are
  /// themselves differentiable.
  ///
  /// - Parameters:
  ///   - inputs: Variables that this tensor was computed from. One that it does not depend on gets zeros.
  ///   - differentiable: Whether the gradients can be differentiated again.
  ///   - seed: The derivative by this tensor, of its shape; needed unless it has one element.
  /// - Returns: One derivative for each input, of its shape.
  /// - Throws: ``TensorError`` if this tensor has several elements and no seed is given, or was not recorded.
  public func gradients(
    for inputs: [Tensor],
    differentiable: Bool = false,
    seed: Tensor? = nil
  ) throws -> [Tensor] {
    guard requiresGradient else {
      throw TensorError(
        code: .invalidArgument,
        message: "this tensor was not computed from variables while gradients were recorded"
      )
    }
    guard !inputs.isEmpty else { return [] }
    var found = [OpaquePointer?](repeating: nil, count: inputs.count)
    try withExtendedLifetime((handle, seed?.handle)) {
      try Tensor.withPointers(inputs) {
        try check(
          tessera_gradients(pointer, seed?.pointer, $0, inputs.count, differentiable, &found)
        )
      }
    }
    // All results are taken over before anything can throw, so that none leaks.
    let owned = found.map { $0.map(Tensor.init(owning:)) }
    return try zip(owned, inputs).map { gradient, input in
      try gradient ?? Tensor.zeros(like: input)
    }
  }
}

/// Runs `body` without recording gradients on the current thread.
///
/// The closure is synchronous: a task may resume on another thread after `await`, where recording is on.
public func withoutGradient<Result, Failure: Error>(
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  let wasRecording = tessera_exchange_gradient_mode(false)
  defer { _ = tessera_exchange_gradient_mode(wasRecording) }
  return try body()
}

/// Runs `body` with matrix products and convolutions computed in `dtype`, and sums and losses in full precision.
///
/// - Parameters:
///   - dtype: `bfloat16`, or on GPUs also `float16`.
///   - device: Where the computation runs.
///   - body: Synchronous, as in ``withoutGradient(_:)``.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
public func withAutocast<Result, Failure: Error>(
  to dtype: DType = .bfloat16,
  on device: Device = .cpu,
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  precondition(dtype == .bfloat16 || dtype == .float16, "autocast to \(dtype)")
  let before = tessera_exchange_autocast(device.code, Int32(dtype.code.rawValue))
  defer { _ = tessera_exchange_autocast(device.code, before) }
  return try body()
}
