internal import TesseraCore

/// Leaves measurements out: an exact loss tells of the examples, however well the update beside it is hidden.
///
///     let filters = SiteFilters(results: [try ExcludeMetrics(["loss", "*accuracy"])])
public struct ExcludeMetrics: Filter {
  /// The name in configurations.
  public static let name = "exclude-metrics"
  /// Which measurements stay behind; all if `nil`.
  public let names: TensorNames?

  /// Leaves measurements out.
  ///
  /// - Parameter names: Names, with `*` for any run of characters; all if `nil`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(_ names: [String]? = nil) throws {
    self.names = try names.map { try TensorNames($0) }
  }

  /// The exchange without the measurements, those of parts included; statistics, whose numbers are what was asked for, pass.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    guard exchange.kind != .statistics else { return exchange }
    var result = exchange
    result.metrics =
      names.map { names in
        exchange.metrics.filter { !names.contains($0.key) }
      } ?? [:]
    result.parts = try exchange.parts.mapValues { try apply(to: $0, in: context) }
    return result
  }
}
