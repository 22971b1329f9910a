internal import TesseraCore
internal import TesseraNN

/// Encodes a batch in parts, for batches whose graphs do not fit into memory (Gao et al., 2021).
///
/// The loss looks at all vectors of a batch, but the derivative by a vector is all that its encoder has to know. So: encode all parts
/// without a graph, take the loss's derivatives by the vectors, then encode each part again and go on with these. Loss and gradients are
/// those of the whole batch, up to rounding.
struct GradientCache {
  /// The model's parameters, in the order of gradients.
  let parameters: [Parameter]
  /// What encoding changes on its way, once a step: running means and variances.
  let buffers: [Buffer]
  /// What encoding draws from.
  let generator: Generator

  /// The gradients of a loss.
  ///
  /// - Parameters:
  ///   - parts: Encode a part each: `[rows, width]`, the same number of columns in all.
  ///   - loss: The loss of all parts' vectors, one after the other.
  /// - Returns: The loss, and a derivative for each parameter.
  /// - Throws: What the parts or the loss throw.
  func gradients(
    _ parts: [() throws -> Tensor],
    loss: ([Tensor]) throws -> Tensor
  ) throws -> (loss: Double, gradients: [Tensor]) {
    // What a part draws and changes is the same both times.
    let before = try buffers.map { try $0.value.copied() }
    var states: [Tensor] = []
    var vectors: [Tensor] = []
    for part in parts {
      states.append(try generator.state())
      vectors.append(try withoutGradient { try part() }.detached().asVariable())
    }
    let after = try generator.state()
    for (buffer, value) in zip(buffers, before) { try buffer.assign(value) }
    let value = try loss(vectors)
    let trained = parameters.filter(\.isTrained).map(\.value)
    let derivatives = try value.gradients(for: vectors + trained)
    var sums = Array(derivatives[vectors.count...])
    for (index, part) in parts.enumerated() {
      try generator.restore(states[index])
      let again = try part()
      let own = try again.gradients(for: trained, seed: derivatives[index].to(again.dtype))
      sums = try zip(sums, own).map { try $0 + $1 }
    }
    try generator.restore(after)
    var rest = sums[...]
    let gradients = try parameters.map { parameter in
      guard parameter.isTrained, let next = rest.popFirst() else {
        return try Tensor.zeros(like: parameter.value)
      }
      return next
    }
    return (try value.item(), gradients)
  }
}
