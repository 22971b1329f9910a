internal import TesseraCore

/// Undoes ``TopK``: tensors have all their elements again, 0 where none was sent.
///
/// Models that are not sparse pass as they are, so that sites may choose.
public struct Densify: Filter {
  /// The name in configurations.
  public static let name = "densify"

  /// Undoes ``TopK``.
  public init() {}

  /// The models with all elements, in the shapes of what the task came with.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``, naming the site and the tensor, if values
  ///   and positions do not fit each other or the task's tensor.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels(in: context) { model, place in
      var result = model
      while let note = result.metadata.processing.last, note.algorithm == TopK.note {
        guard result.kind == .weightDifference else {
          throw place.refusal("'\(note.algorithm)' tensors are no difference")
        }
        result.metadata.processing.removeLast()
        result.tensors = try dense(result.tensors, note.tensors, place)
      }
      if result.metadata.processing.contains(where: { $0.algorithm == TopK.note }) {
        throw place.refusal(
          "filter '\(Self.name)': '\(TopK.note)' lies beneath what was done later"
        )
      }
      return result
    }
  }

  private func dense(
    _ state: ModelState,
    _ names: [String],
    _ place: FilteredModel
  ) throws -> ModelState {
    let used = Set(names.map { $0 + TopK.indexSuffix })
    var restored: [String: Tensor] = [:]
    for name in names {
      guard restored[name] == nil, !used.contains(name) else {
        throw place.refusal("it is noted twice", tensor: name)
      }
      restored[name] = try dense(name, in: state, place)
    }
    return try ModelState(
      state.entries.filter { !used.contains($0.name) }.map { name, tensor in
        (name, restored[name] ?? tensor)
      }
    )
  }

  private func dense(
    _ name: String,
    in state: ModelState,
    _ place: FilteredModel
  ) throws -> Tensor {
    guard let values = state[name] else { throw place.refusal("it is missing", tensor: name) }
    guard let positions = state[name + TopK.indexSuffix] else {
      throw place.refusal("'\(name + TopK.indexSuffix)' is missing", tensor: name)
    }
    // The shape is the task's, never the sender's word for it: nobody can ask for more memory than the model has.
    guard let own = place.shapes?[name] else {
      throw place.refusal("the task came without it", tensor: name)
    }
    guard values.dtype == own.dtype, own.dtype.isFloatingPoint, values.rank == 1 else {
      throw place.refusal("its values are \(values), for elements of \(own)", tensor: name)
    }
    let isIndex = positions.dtype == .int32 || positions.dtype == .int64
    guard isIndex, positions.shape == values.shape, positions.count <= own.count else {
      throw place.refusal("its positions are \(positions), its values \(values)", tensor: name)
    }
    try place.requireFinite(values, name)
    let empty = try Tensor.zeros([own.count], dtype: own.dtype)
    guard positions.count > 0 else { return try empty.reshaped(to: own.shape) }
    let indices = try positions.to(.int64)
    let (first, last) = (
      try indices.minimum().itemAsInteger(), try indices.maximum().itemAsInteger()
    )
    guard first >= 0, last < own.count else {
      throw place.refusal("a position is outside its \(own.count) elements", tensor: name)
    }
    let (before, after) = (
      try indices.slices(in: 0..<indices.count - 1), try indices.slices(in: 1..<indices.count)
    )
    guard try after.isGreater(than: before).all().item() == 1 else {
      throw place.refusal("its positions are not ascending, or one comes twice", tensor: name)
    }
    return try empty.replacing(at: [indices], with: values).reshaped(to: own.shape)
  }
}
