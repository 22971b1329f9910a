internal import TesseraCore

/// What a filter for privacy does with tensors that have no fractions: counts of steps, masks.
///
/// Noise of a real scale cannot be added to them, so a tensor that travelled as it is would escape what the filter promises.
/// Complex tensors are refused by all such filters.
public enum NonFloatingTensors: String, Sendable, Hashable, CaseIterable {
  /// They stay behind and are listed as left out on purpose: the receiver keeps its own. Nothing of them leaves.
  case excluded
  /// The exchange is refused, by the tensor's name.
  case refused
  /// They travel as they are: for a model whose whole numbers tell nothing about the data.
  case kept

  func applied(to model: Exchange, in place: FilteredModel, for filter: String) throws -> Exchange {
    for (name, tensor) in model.tensors.entries where !tensor.dtype.isFloatingPoint {
      if tensor.dtype.isComplex || self == .refused {
        throw place.refusal(
          "filter '\(filter)' cannot change elements of \(tensor.dtype); leave the tensor out",
          tensor: name
        )
      }
    }
    guard self == .excluded else { return model }
    let tensors = model.tensors
    return try model.leavingOut { tensors[$0]?.dtype.isFloatingPoint == false }
  }
}
