public import TesseraCore

/// Keeps the updates of a round until all have come, and then has a ``CollectiveRule`` combine them.
///
/// Memory is that of the kept updates as ``CollectiveSettings/memory`` allows, of one chunk, and of the result, whatever the
/// number of sites; the rest lies in a temporary file, which goes with this value.
public struct CollectiveAggregation<Rule: CollectiveRule>: Aggregation {
  private let rule: Rule
  private let model: ModelState
  private var store: UpdateStore
  private var sites: [Site] = []
  private var weights: [Double] = []

  /// Takes updates to a model.
  public init(by rule: Rule, updating model: ModelState) {
    self.rule = rule
    self.model = model
    store = UpdateStore(model: model, settings: rule.settings)
  }

  /// How many bytes of updates are in memory now.
  public var bytesInMemory: Int { store.bytesInMemory }

  /// How many bytes of updates are in the file now.
  public var bytesInFile: Int { store.bytesInFile }

  /// Keeps an update, or refuses it as a whole.
  public mutating func fold(_ update: Exchange, from site: Site) throws -> Double {
    guard !sites.contains(where: { $0.index == site.index }) else {
      throw FederationError.rejected(site, "it has answered already")
    }
    let weight = try update.weight(from: site)
    var tensors = try update.tensors(matching: model, from: site)
    for (index, tensor) in tensors.enumerated() {
      guard let tensor else { continue }
      // Beyond it, squares of differences would leave the range of a `Double`.
      guard try tensor.largestMagnitude() < ExactSum.largestBound else {
        throw FederationError.rejected(
          site,
          "tensor '\(model.names[index])': an element is not a number, infinite or too large"
        )
      }
      guard update.kind == .weightDifference else { continue }
      let moved = try (model.tensors[index] + tensor).to(tensor.dtype)
      guard try moved.largestMagnitude() < ExactSum.largestBound else {
        throw FederationError.rejected(
          site,
          "tensor '\(model.names[index])': an element is too large to be added to the model's"
        )
      }
      tensors[index] = moved
    }
    try store.append(tensors)
    sites.append(site)
    weights.append(weight)
    return weight
  }

  /// Forgets an update.
  public mutating func takeBack(_ update: Exchange, weight: Double, from site: Site) {
    guard let position = sites.firstIndex(where: { $0.index == site.index }) else { return }
    store.remove(at: position)
    sites.remove(at: position)
    weights.remove(at: position)
  }

  /// What the rule makes of the updates.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if there are fewer than the rule needs;
  ///   `CancellationError` if the task is cancelled; what the rule throws.
  public mutating func result() throws -> Exchange {
    let needed = max(1, rule.minimumUpdates)
    guard sites.count >= needed else {
      throw FederationError(
        code: .tooFewSites,
        message: "\(Rule.self) needs \(needed) updates, and has \(sites.count)"
      )
    }
    let order = sites.indices.sorted { sites[$0].index < sites[$1].index }
    let updates = CollectedUpdates(
      sites: order.map { sites[$0] },
      weights: order.map { weights[$0] },
      store: store,
      order: order
    )
    let plan = try rule.plan(for: updates)
    var index = 0
    let tensors = try model.mapTensors { _, tensor in
      defer { index += 1 }
      guard store.holders(of: index, in: order).count >= needed, tensor.count > 0 else {
        return tensor
      }
      return try combined(tensor, at: index, order, plan)
    }
    let weight = order.reduce(0) { $0 + weights[$1] }
    store = UpdateStore(model: model, settings: rule.settings)
    return Exchange(.weights, tensors: tensors, metadata: .init(weight: weight))
  }

  private func combined(
    _ tensor: Tensor,
    at index: Int,
    _ order: [Int],
    _ plan: Rule.Plan
  ) throws -> Tensor {
    let size = tensor.dtype.byteCount
    let memory = try ChunkMemory(bytes: tensor.count * size)
    try store.forEachChunk(of: index, rows: order, fillingFromModel: false) { chunk in
      try Task.checkCancellation()
      var values = try rule.combine(chunk, plan)
      guard values.shape == [chunk.elements.count] else {
        throw FederationError(
          code: .invalidConfiguration,
          message:
            "\(Rule.self) made \(values.shape) of \(chunk.values.shape), not [\(chunk.elements.count)]"
        )
      }
      if !tensor.dtype.isFloatingPoint, values.dtype.isFloatingPoint {
        values = try values.rounded()
      }
      try values.to(tensor.dtype).withBytes {
        let start = chunk.elements.lowerBound * size
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<start + $0.count])
          .copyMemory(from: $0)
      }
    }
    return try memory.tensor(shape: tensor.shape, dtype: tensor.dtype)
  }
}
