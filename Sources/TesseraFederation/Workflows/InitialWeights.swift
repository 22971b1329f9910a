internal import TesseraCore

/// The global model to begin with, as one of the sites has it: one round, as a step before others.
///
///     let workflow = try WorkflowChain([InitialWeights(), FedAvg(rounds: 10)])
///
/// The site does ``TaskName/initialize``.
public struct InitialWeights: Workflow {
  /// One.
  public let rounds = 1
  /// No.
  public let trains = false
  /// The name of the site; the first in the list that has a usable model if `nil`.
  public let site: String?

  /// Initial weights from a site.
  ///
  /// - Parameter site: Its name; the first in the list that has a usable model if `nil`.
  public init(from site: String? = nil) { self.site = site }

  /// The server checks the model.
  public var reasonAgainstEncryption: String? {
    "initial weights are checked by the server, which it cannot if they are encrypted"
  }

  /// Asks one site after the other until there is a model.
  ///
  /// If there is a global model already, the site's must have its tensors.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there is no site of that name, and
  ///   with code ``FederationError/Code/tooFewSites`` if no site has a usable model.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    let sites = controller.sites.filter { site == nil || $0.name == site }
    guard !sites.isEmpty else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "there is no site '\(site ?? "")' to take the initial weights from"
      )
    }
    for (position, site) in sites.enumerated() {
      do {
        let outcome = try await controller.ask(
          .initialize,
          state.global,
          [site],
          quorum: Quorum(patience: controller.quorum.patience),
          into: ModelSink(reference: state.model)
        )
        guard let model = outcome.sink.model else { continue }
        state.global = .weights(model)
        return
      } catch let error as FederationError where error.code == .tooFewSites {
        if position == sites.count - 1 { throw error }
      }
    }
  }
}

/// Takes one whole model.
struct ModelSink: AnswerSink {
  /// The model whose tensors it must have; any will do if this has none.
  let reference: ModelState
  private(set) var model: ModelState?

  init(reference: ModelState = .empty) { self.reference = reference }

  mutating func take(_ answer: Exchange, from site: Site) throws -> Double {
    guard answer.kind == .weights, !answer.tensors.names.isEmpty else {
      throw FederationError.rejected(
        site,
        "it sent \(answer.kind.name) where a whole model was expected"
      )
    }
    let expected = reference.names.isEmpty ? answer.tensors : reference
    if let missing = expected.names.first(where: { answer.tensors[$0] == nil }) {
      throw FederationError.rejected(site, "its tensor '\(missing)' is missing")
    }
    model = try answer.model(succeeding: expected, from: site)
    return answer.claimedWeight(of: site)
  }
}
