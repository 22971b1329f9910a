import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// What an aggregation rule promises beyond the law that the order of arrival does not matter, which holds for all.
struct RulePromises: OptionSet, Sendable {
  let rawValue: Int
  /// If the model and all updates move by the same, so does the result.
  static let translation = RulePromises(rawValue: 1)
  /// Each element lies among those of the updates.
  static let range = RulePromises(rawValue: 2)
  /// If all updates are equal, they are the result.
  static let unanimity = RulePromises(rawValue: 4)
  /// It does not matter which site sent which update, weights going along.
  static let anonymity = RulePromises(rawValue: 8)
  static let all: RulePromises = [.translation, .range, .unanimity, .anonymity]
}

/// Records an issue for every law of ``AggregationRule`` that a rule breaks, on eleven updates of two tensors.
func expectRuleLaws(
  _ rule: any AggregationRule,
  keeping promises: RulePromises = .all,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let generator = try Generator(seed: 17)
  func state(_ deviation: Double, around base: ModelState? = nil) throws -> ModelState {
    try ModelState(
      [("a", [4, 9], DType.float32), ("b", [23], .float64)].map { name, shape, dtype in
        let drawn = try Tensor.normal(shape, deviation: deviation, dtype: dtype, using: generator)
        return (name: name, tensor: try base?[name].map { try $0 + drawn } ?? drawn)
      }
    )
  }
  func moved(_ state: ModelState, by distance: Double) throws -> ModelState {
    try state.mapTensors { try $1 + distance }
  }
  let model = try state(1)
  let sites = (0..<11).map {
    Site(index: $0 * 3, name: "site-\($0)", exampleCount: 5 + ($0 * 7) % 5)
  }
  let updates = try sites.indices.map { try state($0 == 4 ? 5 : 0.2, around: model) }

  func result(
    _ updates: [ModelState],
    from sites: [Site],
    model: ModelState,
    order: [Int]
  ) throws -> ModelState {
    var aggregation = try rule.begin(AggregationRound(reference: model, sites: sites))
    for index in order {
      _ = try aggregation.fold(.weights(updates[index]), from: sites[index])
    }
    return try aggregation.result().tensors
  }
  let order = Array(sites.indices)
  let reference = try result(updates, from: sites, model: model, order: order)
  #expect(reference.names == model.names, sourceLocation: sourceLocation)
  for (found, expected) in zip(reference.tensors, model.tensors) {
    #expect(
      found.shape == expected.shape && found.dtype == expected.dtype,
      sourceLocation: sourceLocation
    )
  }
  var numbers = KeyedRandomNumbers(key: RandomKey(seed: 23))
  for _ in 0..<4 {
    let other = try result(
      updates,
      from: sites,
      model: model,
      order: order.shuffled(using: &numbers)
    )
    #expect(
      try other.isIdentical(to: reference),
      "the order of arrival changes the bits",
      sourceLocation: sourceLocation
    )
  }
  func expectSame(_ found: ModelState, _ expected: ModelState, _ note: String) {
    for (name, tensor) in expected.entries {
      guard let actual = found[name] else { continue }
      expectClose(
        actual,
        tensor,
        absolute: 2e-5,
        relative: 1e-5,
        "\(note), '\(name)'",
        sourceLocation: sourceLocation
      )
    }
  }
  if promises.contains(.translation) {
    let found = try result(
      updates.map { try moved($0, by: 3) },
      from: sites,
      model: moved(model, by: 3),
      order: order
    )
    expectSame(found, try moved(reference, by: 3), "moved by 3")
  }
  if promises.contains(.range) {
    for (name, tensor) in reference.entries {
      let all = try stack(updates.map { try #require($0[name]) })
      let low = try all.minimum(along: 0) - 1e-5
      let high = try all.maximum(along: 0) + 1e-5
      let inside = try tensor.isAtLeast(low).and(tensor.isAtMost(high)).all().item()
      #expect(inside == 1, "'\(name)' leaves the updates' range", sourceLocation: sourceLocation)
    }
  }
  if promises.contains(.unanimity) {
    let same = sites.map { _ in updates[0] }
    expectSame(
      try result(same, from: sites, model: model, order: order),
      updates[0],
      "all the same"
    )
  }
  if promises.contains(.anonymity) {
    // The site at each index takes over another's update and size.
    let swapped = order.map { order[($0 + 5) % order.count] }
    let others = zip(sites, swapped).map { site, from in
      Site(index: site.index, name: site.name, exampleCount: sites[from].exampleCount)
    }
    let found = try result(swapped.map { updates[$0] }, from: others, model: model, order: order)
    expectSame(found, reference, "sent by others")
  }
}
