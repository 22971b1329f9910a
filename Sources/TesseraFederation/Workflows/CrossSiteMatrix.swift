/// How good models of several sites are on the data of each.
public struct CrossSiteMatrix: Sendable, Hashable, Codable {
  /// A model on a site's data.
  public struct Cell: Sendable, Hashable, Codable {
    /// What the site measured, by name; finite numbers alone.
    public var metrics: [String: Double]
    /// On how many examples.
    public var samples: Int

    /// A cell.
    public init(metrics: [String: Double], samples: Int) {
      self.metrics = metrics
      self.samples = samples
    }
  }

  /// Whose model each row is: sites' names, and ``globalModel``.
  public var models: [String]
  /// Whose data each column is: sites' names.
  public var sites: [String]
  /// `[models][sites]`; `nil` where a site gave no usable answer.
  public var cells: [[Cell?]]
  /// Why sites have no row, by name.
  public var withoutModel: [String: String]

  /// What the row of the global model is called.
  public static let globalModel = "global model"
  /// Where workflows keep it among ``WorkflowState/documents``.
  public static let document = "cross-site evaluation"

  /// A matrix.
  public init(
    models: [String],
    sites: [String],
    cells: [[Cell?]],
    withoutModel: [String: String] = [:]
  ) {
    self.models = models
    self.sites = sites
    self.cells = cells
    self.withoutModel = withoutModel
  }

  /// One metric of all cells, `[models][sites]`.
  public func values(of metric: String) -> [[Double?]] {
    cells.map { $0.map { $0?.metrics[metric] } }
  }

  /// Each model's mean over all examples of the sites that measured it: sites count by their examples.
  public func modelMeans(of metric: String) -> [Double?] {
    cells.map { row in
      let known = row.compactMap { cell in
        cell.flatMap { cell in cell.metrics[metric].map { (value: $0, samples: cell.samples) } }
      }
      let total = known.reduce(0.0) { $0 + Double($1.samples) }
      guard total > 0 else { return nil }
      return known.reduce(0) { $0 + $1.value * Double($1.samples) } / total
    }
  }

  /// Each site's plain mean over the models that it measured.
  public func siteMeans(of metric: String) -> [Double?] {
    sites.indices.map { site in
      let known = cells.compactMap { $0.indices.contains(site) ? $0[site]?.metrics[metric] : nil }
      return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }
  }

  /// All metrics that any cell has, in order.
  public var metrics: [String] {
    Set(cells.flatMap { $0.flatMap { $0.map { Array($0.metrics.keys) } ?? [] } }).sorted()
  }
}
