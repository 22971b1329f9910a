internal import TesseraCore

/// The global model on every site's data: one round, with a ``Result`` as document ``document``.
public struct GlobalModelEvaluation: Workflow {
  /// How good the global model is.
  public struct Result: Sendable, Hashable, Codable {
    /// What each site measured, by its name.
    public var sites: [String: CrossSiteMatrix.Cell]
    /// The mean of each metric over all examples: sites count by their examples.
    public var means: [String: Double]
    /// Why sites are missing, by name.
    public var missing: [String: String]
  }

  /// Where the result is among ``WorkflowState/documents``.
  public static let document = "global model evaluation"
  /// One.
  public let rounds = 1
  /// No.
  public let trains = false

  /// Evaluation of the global model at the sites.
  public init() {}

  /// None: sites answer with measurements.
  public var reasonAgainstEncryption: String? { nil }

  /// Has every site measure the global model.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if no site did.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let poll = try await controller.poll(.evaluate, state.global, from: controller.sites)
    var result = Result(sites: [:], means: [:], missing: [:])
    for refusal in poll.refusals { result.missing[refusal.site] = refusal.reason }
    for answer in poll.answers {
      if let cell = CrossSiteMatrix.Cell(answer) {
        result.sites[answer.site.name] = cell
      } else {
        result.missing[answer.site.name] = "\(answer.site.name): it measured nothing"
      }
    }
    guard !result.sites.isEmpty else {
      throw FederationError(
        code: .tooFewSites,
        message: "round \(controller.round): no site has measured the global model"
      )
    }
    // In the order of names, so that the sums have the same bits each time.
    let cells = result.sites.sorted { $0.key < $1.key }.map(\.value)
    for metric in Set(cells.flatMap(\.metrics.keys)) {
      let known = cells.filter { $0.metrics[metric] != nil }
      let total = known.reduce(0.0) { $0 + Double($1.samples) }
      guard total > 0 else { continue }
      result.means[metric] =
        known.reduce(0) { $0 + ($1.metrics[metric] ?? 0) * Double($1.samples) } / total
    }
    try state.setDocument(Self.document, to: result)
  }
}
