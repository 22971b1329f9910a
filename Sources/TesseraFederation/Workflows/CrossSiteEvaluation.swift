internal import TesseraCore

/// Every site's model on every site's data: one round, with a ``CrossSiteMatrix`` as result.
///
/// Sites give their own models by ``TaskName/submitModel`` and measure others' by ``TaskName/evaluate``, answering with metrics
/// such as `accuracy` and `loss`. Models are handled one at a time: the server never holds more than one besides the global
/// model, however many sites there are. Sites that do not answer leave holes. A recorded run that was killed goes on after the
/// last row that was done.
///
/// Each site sees every other site's model, as the server does; the examples stay where they are.
public struct CrossSiteEvaluation: Workflow {
  /// One.
  public let rounds = 1
  /// No.
  public let trains = false
  /// Whether the global model is measured too.
  public let includesGlobalModel: Bool
  /// The names of the sites whose models are measured; all if `nil`.
  public let models: Set<String>?

  /// Cross-site evaluation.
  ///
  /// - Parameters:
  ///   - includesGlobalModel: Whether the global model is measured too, in the first row.
  ///   - models: The names of the sites whose models are measured; all if `nil`.
  public init(includesGlobalModel: Bool = true, models: Set<String>? = nil) {
    self.includesGlobalModel = includesGlobalModel
    self.models = models
  }

  /// Single models go from site to site.
  public var reasonAgainstEncryption: String? {
    "cross-site evaluation sends single models from site to site, which encryption is to hide"
  }

  /// Collects one model after the other and has it measured.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if nothing at all was measured.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let sites = controller.sites
    if let unknown = models?.subtracting(sites.map(\.name)).sorted().first {
      throw FederationError(
        code: .invalidConfiguration,
        message: "there is no site '\(unknown)' whose model could be measured"
      )
    }
    let rows =
      (includesGlobalModel ? [nil] : [])
      + sites.filter { models?.contains($0.name) ?? true }.map(Optional.some)
    var matrix =
      try controller.kept(CrossSiteMatrix.self)
      ?? CrossSiteMatrix(models: [], sites: sites.map(\.name), cells: [])
    guard matrix.sites == sites.map(\.name), matrix.models.count == matrix.cells.count else {
      throw FederationError(
        code: .cannotResume,
        message: "round \(controller.round): the matrix that was kept is of other sites"
      )
    }
    let done = matrix.models.count + matrix.withoutModel.count
    for site in rows.dropFirst(done) {
      try await measure(site, of: sites, into: &matrix, state, controller)
      try controller.keep(matrix)
    }
    guard matrix.cells.contains(where: { $0.contains { $0 != nil } }) else {
      throw FederationError(
        code: .tooFewSites,
        message: "round \(controller.round): no site has measured any model"
      )
    }
    try state.setDocument(CrossSiteMatrix.document, to: matrix)
  }

  /// Adds the row of a site's model, or of the global one, or why there is none.
  private func measure(
    _ site: Site?,
    of sites: [Site],
    into matrix: inout CrossSiteMatrix,
    _ state: WorkflowState,
    _ controller: Controller
  ) async throws {
    guard let site else {
      matrix.models.append(CrossSiteMatrix.globalModel)
      matrix.cells.append(try await controller.evaluations(of: state.global, at: sites))
      return
    }
    let outcome = try await controller.ask(
      .submitModel,
      Exchange(.custom("request")),
      [site],
      quorum: Quorum(minimum: 0, patience: controller.quorum.patience),
      into: ModelSink()
    )
    guard let model = outcome.sink.model else {
      matrix.withoutModel[site.name] = outcome.refusals.first?.reason ?? "no answer"
      return
    }
    matrix.models.append(site.name)
    matrix.cells.append(try await controller.evaluations(of: .weights(model), at: sites))
  }
}

extension Controller {
  /// What sites measure of a model, in their order; `nil` for those that give no usable answer.
  func evaluations(of model: Exchange, at sites: [Site]) async throws -> [CrossSiteMatrix.Cell?] {
    let poll = try await poll(.evaluate, model, from: sites)
    let cells = poll.answers.map { ($0.site.index, CrossSiteMatrix.Cell($0)) }
    let bySite = Dictionary(cells) { first, _ in first }
    return sites.map { bySite[$0.index] ?? nil }
  }
}

extension CrossSiteMatrix.Cell {
  /// What a site has measured, or `nil` if that is nothing.
  init?(_ answer: Answer) {
    metrics = answer.exchange.metrics.filter(\.value.isFinite)
    guard !metrics.isEmpty else { return nil }
    // A site may not make its measurements count for more than the examples it announced.
    let announced = answer.site.exampleCount
    samples = min(max(answer.exchange.metadata.samples ?? announced, 0), announced)
  }
}
