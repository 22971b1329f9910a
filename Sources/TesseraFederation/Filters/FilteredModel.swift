internal import TesseraCore

/// A model on its way through a filter: where it lies in its exchange, and what the task came with in its place.
struct FilteredModel {
  /// Where the filter is at work.
  let context: FilterContext
  /// The names of the parts that lead to the model, joined by slashes; empty if the exchange is the model.
  let path: String
  /// The model that the task came with in the same place.
  let reference: ModelState?
  /// The model that the task came with, for parts that the task had not: it has their names and shapes as a rule.
  let shapes: ModelState?

  /// An error that names the site, or the task on its way to all sites, and the tensor.
  func refusal(_ reason: String, tensor: String? = nil) -> FederationError {
    let place = path.isEmpty ? "" : "part '\(path)': "
    let reason = place + (tensor.map { "tensor '\($0)': " } ?? "") + reason
    guard let site = context.site else {
      return FederationError(code: .rejectedUpdate, message: "task '\(context.task)': \(reason)")
    }
    return .rejected(site, reason)
  }

  /// A stream of random numbers for one tensor.
  func key(_ purpose: String, tensor: String) -> RandomKey {
    context.key[purpose][path][tensor]
  }

  /// Noise for one tensor, from the secrets of the one whose filter it is.
  ///
  /// It follows from the secret, the task and the values that it is added to: a task that is repeated gives the same bits, and
  /// no two different values ever get the same noise, which their difference would be without.
  func noise(_ purpose: String, tensor: String, over values: [Tensor]) throws -> SecretNoise {
    let own = context.secrets.derived("\(purpose)/\(path)/\(tensor)")
    guard own != .system else { return SecretNoise(own) }
    return try SecretNoise(
      own.derived(context.identity?.digest() ?? "").derived(SecretNoise.digest(of: values))
    )
  }

  /// A name in the site's memory for this model.
  func memoryName(_ purpose: String) -> String {
    path.isEmpty ? purpose : "\(purpose)/\(path)"
  }

  /// Refuses a model whose tensors are codes of other tensors.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``.
  func requirePlain(_ model: Exchange, for filter: String) throws {
    guard let note = model.metadata.processing.last else { return }
    throw refusal("filter '\(filter)' needs plain tensors, and these are '\(note.algorithm)'")
  }

  /// Refuses elements that are infinite or NaN.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``.
  func requireFinite(_ tensor: Tensor, _ name: String) throws {
    guard try tensor.holdsOnlyFinite() else {
      throw refusal("it holds numbers that are not finite", tensor: name)
    }
  }

  /// What the task came with under a name.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if there is none, or it has another shape
  ///   or dtype.
  func counterpart(of tensor: Tensor, _ name: String) throws -> Tensor {
    guard let reference else {
      throw refusal("there is no model of the task to tell weights and differences apart")
    }
    guard let own = reference[name] else {
      throw refusal("the task came without it", tensor: name)
    }
    guard own.shape == tensor.shape, own.dtype == tensor.dtype else {
      throw refusal(
        "\(tensor.dtype) \(tensor.shape) where the task came with \(own.dtype) \(own.shape)",
        tensor: name
      )
    }
    return own
  }
}

extension Exchange {
  /// The exchange with each of its models changed, each beside what the task came with in its place.
  func mapModels(
    in context: FilterContext,
    _ transform: (Exchange, FilteredModel) throws -> Exchange
  ) rethrows -> Exchange {
    let reference = context.reference.flatMap { task in
      kind.isModel && !task.kind.isModel ? task.parts[Aggregate.modelPart] : task
    }
    let whole = context.reference.flatMap { task in
      task.kind.isModel ? task : task.parts[Aggregate.modelPart]
    }
    return try mapModels(in: context, path: "", reference: reference, whole: whole, transform)
  }

  private func mapModels(
    in context: FilterContext,
    path: String,
    reference: Exchange?,
    whole: Exchange?,
    _ transform: (Exchange, FilteredModel) throws -> Exchange
  ) rethrows -> Exchange {
    if kind.isModel {
      let own = reference.flatMap { $0.kind.isModel ? $0.tensors : nil }
      let place = FilteredModel(
        context: context,
        path: path,
        reference: own,
        shapes: own ?? whole?.tensors
      )
      return try transform(self, place)
    }
    guard !parts.isEmpty else { return self }
    var result = self
    for (name, part) in parts {
      // An answer of several parts to a task that is a plain model has the model as one of them.
      let isModel = reference?.kind.isModel == true && name == Aggregate.modelPart
      result.parts[name] = try part.mapModels(
        in: context,
        path: path.isEmpty ? name : "\(path)/\(name)",
        reference: isModel ? reference : reference?.parts[name],
        whole: whole,
        transform
      )
    }
    return result
  }

  /// The model without some of its tensors, which are listed as left out on purpose.
  func leavingOut(_ isLeftOut: (String) -> Bool) throws -> Exchange {
    let names = tensors.names.filter(isLeftOut)
    guard !names.isEmpty else { return self }
    let left = Set(names)
    var result = self
    result.tensors = try ModelState(tensors.entries.filter { !left.contains($0.name) })
    result.metadata.excluded += names.filter { !metadata.excluded.contains($0) }
    return result
  }

  /// Each model with its floating-point tensors changed.
  func mapFloating(
    in context: FilterContext,
    for filter: String,
    others rule: NonFloatingTensors,
    _ transform: (String, Tensor, FilteredModel) throws -> Tensor
  ) throws -> Exchange {
    try mapModels(in: context) { model, place in
      try place.requirePlain(model, for: filter)
      var result = try rule.applied(to: model, in: place, for: filter)
      result.tensors = try result.tensors.mapTensors { name, tensor in
        guard tensor.dtype.isFloatingPoint else { return tensor }
        try place.requireFinite(tensor, name)
        return try transform(name, tensor, place)
      }
      return result
    }
  }

  /// Each model with the differences of its floating-point tensors from the task's changed.
  ///
  /// Weights become differences by the task's model and weights again. `transform` gets the model and the differences,
  /// which are `float32`, or `float64` if the tensor is, and gives their successors, or `nil` if the model stays as it is.
  func mapDifferences(
    in context: FilterContext,
    for filter: String,
    others rule: NonFloatingTensors,
    _ transform: (inout Exchange, ModelState, FilteredModel) throws -> [Tensor]?
  ) throws -> Exchange {
    try mapModels(in: context) { model, place in
      try place.requirePlain(model, for: filter)
      var result = try rule.applied(to: model, in: place, for: filter)
      let differences = try result.floatingDifferences(in: place)
      guard let changed = try transform(&result, differences, place) else { return result }
      var next = changed.makeIterator()
      result.tensors = try result.tensors.mapTensors { name, tensor in
        guard tensor.dtype.isFloatingPoint, let difference = next.next() else { return tensor }
        guard result.kind == .weights else { return try difference.to(tensor.dtype) }
        let start = try place.counterpart(of: tensor, name)
        return try (start.to(difference.dtype) + difference).to(tensor.dtype)
      }
      return result
    }
  }

  /// The floating-point tensors as differences from the task's, with enough digits to compute with.
  func floatingDifferences(in place: FilteredModel) throws -> ModelState {
    try ModelState(
      tensors.entries.filter(\.tensor.dtype.isFloatingPoint).map { name, tensor in
        try place.requireFinite(tensor, name)
        let wide = try tensor.to(tensor.dtype.computing)
        guard kind == .weights else { return (name, wide) }
        let difference = try wide - place.counterpart(of: tensor, name).to(wide.dtype)
        // The difference of two large numbers may be infinite, and the task's own may be anything.
        try place.requireFinite(difference, name)
        return (name, difference)
      }
    )
  }
}

extension DType {
  /// The dtype that filters compute with: `float32`, or `float64` for itself.
  var computing: DType { self == .float64 ? .float64 : .float32 }
}

extension Tensor {
  /// Whether no element is infinite or NaN: least and greatest element are NaN if any is.
  func holdsOnlyFinite() throws -> Bool {
    guard count > 0 else { return true }
    return try minimum().item().isFinite && maximum().item().isFinite
  }

  /// The elements in row-major order, in pieces that fit a processor's cache.
  func pieces(of size: Int = 1 << 18) throws -> [Tensor] {
    let flat = try flattened()
    return try stride(from: 0, to: flat.count, by: size).map {
      try flat.slices(in: $0..<min($0 + size, flat.count))
    }
  }
}

extension FederationError {
  /// A filter's argument is out of its range.
  static func invalid(
    _ filter: String,
    _ argument: String,
    _ value: some CustomStringConvertible,
    _ range: String
  ) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "filter '\(filter)': \(argument) must be \(range), not \(value)"
    )
  }

  /// Refuses an argument that is no number above 0.
  static func requirePositive(_ filter: String, _ argument: String, _ value: Double) throws {
    guard value > 0, value.isFinite else {
      throw invalid(filter, argument, value, "a number above 0")
    }
  }
}
