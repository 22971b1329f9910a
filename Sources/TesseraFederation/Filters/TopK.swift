internal import TesseraCore

/// Sends only the largest changes of a model, and what was held back with later ones (Aji and Heafield, 2017, "Sparse
/// communication for distributed gradient descent"; Stich et al., 2018, "Sparsified SGD with memory"); ``Densify`` undoes it at
/// the other side.
///
///     let site = SiteFilters(results: [try TopK(fraction: 0.01)])
///     let server = ServerFilters(results: [Densify()])
///
/// A tensor becomes its chosen elements under its own name, in row-major order, and their positions, `int32` or `int64`, under
/// `name#index`. The others are kept in the site's memory and added to the next change (error feedback: Karimireddy et al.,
/// 2019). Weights leave as their difference from the task's. Tensors without fractions travel whole.
///
/// Of equal magnitudes, those of earlier tensors and positions go first. Zeros are never sent.
public struct TopK: Filter {
  /// The name in configurations.
  public static let name = "top-k"
  /// How many elements are sent.
  public let amount: Amount
  /// Whether each tensor sends its own largest elements, instead of the model's.
  public let isPerTensor: Bool
  /// Whether what is held back is added to the next change.
  public let hasErrorFeedback: Bool

  /// How many elements are sent.
  public enum Amount: Sendable, Hashable {
    /// This share, above 0 and at most 1, rounded up.
    case fraction(Double)
    /// So many.
    case count(Int)
  }

  /// Sends a share of the elements.
  ///
  /// - Parameters:
  ///   - fraction: The share, above 0 and at most 1.
  ///   - perTensor: Whether it is that of each tensor, instead of the model's.
  ///   - errorFeedback: Whether what is held back is added to the next change.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    fraction: Double = 0.01,
    perTensor: Bool = false,
    errorFeedback: Bool = true
  ) throws {
    guard fraction > 0, fraction <= 1 else {
      throw FederationError.invalid(Self.name, "fraction", fraction, "above 0 and at most 1")
    }
    amount = .fraction(fraction)
    isPerTensor = perTensor
    hasErrorFeedback = errorFeedback
  }

  /// Sends a number of elements.
  ///
  /// - Parameters:
  ///   - count: How many, at least 1.
  ///   - perTensor: Whether of each tensor, instead of the model.
  ///   - errorFeedback: Whether what is held back is added to the next change.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(count: Int, perTensor: Bool = false, errorFeedback: Bool = true) throws {
    guard count >= 1 else {
      throw FederationError.invalid(Self.name, "count", count, "at least 1")
    }
    amount = .count(count)
    isPerTensor = perTensor
    hasErrorFeedback = errorFeedback
  }

  static let note = "sparse"
  static let indexSuffix = "#index"

  /// The name in ``FilterContext/memory`` of what a task's answers held back, part by part after a slash.
  public static func memoryName(of task: TaskName) -> String { "\(name)/\(task)" }

  /// The models as the largest of their changes.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a tensor is not finite, or does not fit
  ///   the task's.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels(in: context) { model, place in
      try place.requirePlain(model, for: Self.name)
      var result = try ConvertWeights().converted(model, place)
      let memory = place.memoryName(Self.memoryName(of: context.task))
      let held = hasErrorFeedback ? context.memory[memory] : nil
      let changes = try result.floatingDifferences(in: place)
      let corrected = try changes.mapTensors { name, change in
        guard let rest = held?[name] else { return change }
        guard rest.shape == change.shape, rest.dtype == change.dtype else {
          throw place.refusal("\(change) where \(rest) was held back", tensor: name)
        }
        let sum = try change + rest
        // What was held back over many rounds may have grown beyond the dtype.
        try place.requireFinite(sum.to(result.tensors[name]?.dtype ?? sum.dtype), name)
        return sum
      }
      let positions = try positions(corrected.tensors)
      var note = Exchange.Processing(Self.note, tensors: [], bytesBefore: 0, bytesAfter: 0)
      var rest: [(name: String, tensor: Tensor)] = []
      var sent: [String: [(name: String, tensor: Tensor)]] = [:]
      for ((name, change), positions) in zip(corrected.entries, positions) {
        guard let original = result.tensors[name] else { continue }
        let flat = try change.flattened()
        let values = try flat.gathered(positions).to(original.dtype)
        let indices = try positions.to(flat.count <= Int(Int32.max) ? .int32 : .int64)
        // The rest is what the receiver lacks, rounding to the tensor's dtype included.
        let missing = try flat.gathered(positions) - values.to(flat.dtype)
        rest.append(
          (name, try flat.replacing(at: [positions], with: missing).reshaped(to: change.shape))
        )
        sent[name] = [(name, values), (name + Self.indexSuffix, indices)]
        note.tensors.append(name)
        note.bytesBefore += original.byteCount
        note.bytesAfter += values.byteCount + indices.byteCount
      }
      guard !note.tensors.isEmpty else { return result }
      if hasErrorFeedback { context.memory[memory] = try ModelState(rest) }
      do {
        result.tensors = try ModelState(result.tensors.entries.flatMap { sent[$0.name] ?? [$0] })
      } catch let error as TensorError {
        throw place.refusal("filter '\(Self.name)': \(error.message)")
      }
      result.metadata.processing.append(note)
      return result
    }
  }

  private func count(of elements: Int) -> Int {
    switch amount {
    case .fraction(let fraction): min(elements, Int((Double(elements) * fraction).rounded(.up)))
    case .count(let count): min(elements, count)
    }
  }

  /// The places of the chosen elements of each tensor, `int64`, ascending.
  private func positions(_ changes: [Tensor]) throws -> [Tensor] {
    guard !isPerTensor else {
      return try changes.flatMap { try Self.largest(count(of: $0.count), of: [$0]) }
    }
    return try Self.largest(count(of: changes.reduce(0) { $0 + $1.count }), of: changes)
  }

  private static func largest(_ count: Int, of changes: [Tensor]) throws -> [Tensor] {
    // One order needs one dtype.
    let isWide = changes.contains { $0.dtype == .float64 }
    let flat = try changes.map { try $0.to(isWide ? .float64 : .float32).flattened() }
    let order = try MagnitudeOrder(flat)
    guard count > 0 else { return try flat.map { _ in try Tensor.zeros([0], dtype: .int64) } }
    let least = try order.magnitude(at: order.count - count)
    let magnitudes = try flat.map { try abs($0) }
    let above = try magnitudes.map {
      try $0.isGreater(than: least).positionsOfNonzero().flattened()
    }
    guard least > 0 else { return above }
    var room = count - above.reduce(0) { $0 + $1.count }
    return try zip(above, magnitudes).map { above, magnitudes in
      guard room > 0 else { return above }
      let equal = try magnitudes.equals(least).positionsOfNonzero().flattened()
      let taken = min(room, equal.count)
      room -= taken
      return try concatenate([above, equal.slices(in: 0..<taken)]).sorted().values
    }
  }
}
