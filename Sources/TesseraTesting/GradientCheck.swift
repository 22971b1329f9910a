public import TesseraCore
public import Testing

/// Records an issue unless the gradients of a function agree with finite differences.
///
/// The function's output is made one number with fixed weights that differ from element to element, so that errors cannot
/// cancel. Each element of each input is then moved by `±step`: keep the inputs small.
///
/// - Parameters:
///   - inputs: Where to check, `float64`.
///   - step: The distance moved.
///   - tolerance: The largest difference, absolute and relative.
///   - note: Says which of several checks failed.
///   - sourceLocation: Where the issue is recorded.
///   - function: Gives the same output for the same inputs.
public func gradientCheck(
  _ inputs: [Tensor],
  step: Double = 1e-5,
  tolerance: Double = 1e-6,
  _ note: String = "",
  sourceLocation: SourceLocation = #_sourceLocation,
  _ function: ([Tensor]) throws -> Tensor
) {
  do {
    let variables = try inputs.map { try $0.asVariable() }
    let output = try function(variables)
    let seed = try weights(like: output)
    let gradients = try output.gradients(for: variables, seed: seed)
    for (position, (input, gradient)) in zip(inputs, gradients).enumerated() {
      var elements: [Double] = try input.detached().array()
      var slopes = elements
      for index in elements.indices {
        let center = elements[index]
        func value(at place: Double) throws -> Double {
          elements[index] = place
          var moved = inputs
          moved[position] = try Tensor(elements, shape: input.shape)
          return try withoutGradient { try (function(moved) * seed).sum().item() }
        }
        slopes[index] = try (value(at: center + step) - value(at: center - step)) / (2 * step)
        elements[index] = center
      }
      expectClose(
        gradient,
        try Tensor(slopes, shape: input.shape),
        absolute: tolerance,
        relative: tolerance,
        "\(note.isEmpty ? "" : "\(note), ")gradient of input \(position)",
        sourceLocation: sourceLocation
      )
    }
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}

/// Fixed numbers of the tensor's shape, no two alike.
private func weights(like tensor: Tensor) throws -> Tensor {
  // Multiples of the golden ratio: their fractions never repeat, and spread evenly.
  let numbers = (0..<tensor.count).map { index in
    0.5 + (Double(index) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
  }
  return try Tensor(numbers, shape: tensor.shape)
}
