internal import TesseraCore
internal import TesseraNN

/// Encodes a batch in parts, for batches whose graphs do not fit into memory (Gao et al., 2021), or that several processes encode.
///
/// The loss looks at all vectors of a batch, but the derivative by a vector is all that its encoder has to know. So: encode all parts
/// without a graph, take the loss's derivatives by the vectors, then encode each part again and go on with these. Loss and gradients are
/// those of the whole batch, up to rounding.
///
/// With several processes each encodes its own parts, all get all vectors, and each takes the whole loss: what its own vectors contribute by
/// their encoders is summed over the processes; what the loss depends on directly is the same in all.
struct GradientCache {
  /// The model's parameters, in the order of gradients.
  let parameters: [Parameter]
  /// What encoding changes on its way, once a step: running means and variances.
  let buffers: [Buffer]
  /// What encoding draws from.
  let generator: Generator
  /// The processes that encode together; `nil` if there is one.
  let replicas: ReplicaGroup?

  /// The gradients of a loss.
  ///
  /// - Parameters:
  ///   - parts: Encode a part each, of this process: `[rows, width]`.
  ///   - loss: The loss of this process's vectors, one after the other.
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
    let direct = Array(derivatives[vectors.count...])
    var sums: [Tensor] = []
    for (index, part) in parts.enumerated() {
      try generator.restore(states[index])
      let again = try part()
      let own = try again.gradients(for: trained, seed: derivatives[index].to(again.dtype))
      sums = sums.isEmpty ? own : try zip(sums, own).map { try $0 + $1 }
    }
    try generator.restore(after)
    if let replicas {
      sums = try Self.summed(sums, over: replicas)
      try shareBuffers(replicas)
    }
    let totals = sums.isEmpty ? direct : try zip(direct, sums).map { try $0 + $1 }
    var rest = totals[...]
    let gradients = try parameters.map { parameter in
      guard parameter.isTrained, let next = rest.popFirst() else {
        return try Tensor.zeros(like: parameter.value)
      }
      return next
    }
    return (try value.item(), gradients)
  }

  /// The sums over all processes, in one exchange: many small ones would wait for each other.
  private static func summed(_ tensors: [Tensor], over replicas: ReplicaGroup) throws -> [Tensor] {
    guard !tensors.isEmpty else { return [] }
    let flat = try replicas.sum(concatenate(tensors.map { try $0.reshaped(to: [$0.count]) }))
    let parts = try flat.split(into: tensors.map(\.count))
    return try zip(parts, tensors).map { try $0.reshaped(to: $1.shape) }
  }

  /// Running means and variances of all processes: their mean.
  private func shareBuffers(_ replicas: ReplicaGroup) throws {
    for buffer in buffers where buffer.value.dtype.isFloatingPoint {
      try buffer.assign(replicas.sum(buffer.value) * (1 / Double(replicas.size)))
    }
  }
}
