internal import TesseraCore

/// Leaves tensors out of models: they do not travel, and the receiver keeps its own.
///
///     let filters = SiteFilters(results: [try ExcludeTensors(["head.*"])])
///
/// What is left out is listed in ``Exchange/Metadata-swift.struct/excluded``, so that an aggregate takes the tensor from those
/// updates that have it.
public struct ExcludeTensors: ShorteningFilter {
  /// The name in configurations.
  public static let name = "exclude-tensors"
  /// Which tensors stay behind.
  public let names: TensorNames

  /// Leaves tensors out.
  ///
  /// - Parameter names: Names, with `*` for any run of characters.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(_ names: [String]) throws {
    self.names = try TensorNames(names)
  }

  /// The models without the tensors.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if a name fits no tensor of any
  ///   model: a misspelt name must not let a tensor out.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    var unmatched = Set(names.patterns)
    var hasModel = false
    let result = try exchange.mapModels(in: context) { model, place in
      try place.requirePlain(model, for: Self.name)
      hasModel = true
      let known = model.tensors.names + model.metadata.excluded
      unmatched = unmatched.filter { pattern in
        !known.contains { TensorNames.fits($0, pattern) }
      }
      return try model.leavingOut(names.contains)
    }
    if hasModel, let pattern = unmatched.sorted().first {
      throw FederationError(
        code: .invalidConfiguration,
        message: "filter '\(Self.name)': names must be of tensors, and no tensor is '\(pattern)'"
      )
    }
    return result
  }
}
