internal import TesseraCore

/// Turns a model's weights into their difference from what the task came with, or back.
///
/// A model that is what it should be already passes as it is.
public struct ConvertWeights: ShorteningFilter {
  /// The name in configurations.
  public static let name = "convert-weights"
  /// What models become.
  public let kind: Exchange.Kind

  /// Turns models into weights or differences.
  ///
  /// - Parameter kind: ``Exchange/Kind-swift.enum/weightDifference`` or ``Exchange/Kind-swift.enum/weights``.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` for another kind.
  public init(to kind: Exchange.Kind = .weightDifference) throws {
    guard kind.isModel else {
      throw FederationError.invalid(
        Self.name,
        "kind",
        "'\(kind.name)'",
        "'weights' or 'weight difference'"
      )
    }
    self.kind = kind
  }

  /// The models as weights or differences.
  ///
  /// Sums are rounded to the tensor's dtype, so that weights that were differences may be off in their last bit.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if the task came without a tensor, or with
  ///   another shape or dtype of it; if elements are not finite; or if the dtype has no negative numbers.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels(in: context, converted)
  }

  func converted(_ model: Exchange, _ place: FilteredModel) throws -> Exchange {
    guard model.kind != kind else { return model }
    try place.requirePlain(model, for: Self.name)
    var result = model
    result.kind = kind
    result.tensors = try model.tensors.mapTensors { name, tensor in
      let start = try place.counterpart(of: tensor, name)
      guard tensor.dtype != .bool, tensor.dtype != .uint8 else {
        throw place.refusal("\(tensor.dtype) has no differences", tensor: name)
      }
      if tensor.dtype.isFloatingPoint { try place.requireFinite(tensor, name) }
      return try kind == .weights ? start + tensor : tensor - start
    }
    return result
  }
}
