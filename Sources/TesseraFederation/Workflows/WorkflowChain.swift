internal import TesseraCore

/// Workflows one after the other, each going on from the state that the one before it left.
///
///     let workflow = try WorkflowChain([
///       InitialWeights(), FedAvg(rounds: 10), CrossSiteEvaluation(),
///     ])
///
/// Rounds are counted through: the first round of the second workflow above is round 2, for sites and random numbers alike. A
/// workflow that says that it is done gives way to the next at once. Where the chain stands is kept in the state's document
/// `workflow chain`.
public struct WorkflowChain: Workflow {
  /// How many rounds all have together at most.
  public let rounds: Int
  /// The workflows, in order; chains among them are dissolved.
  public let workflows: [any Workflow]

  /// Where the chain stands.
  private struct Position: Codable {
    /// The workflow that has the next round.
    var workflow = 0
    /// How many rounds it has done.
    var rounds = 0
  }
  private static let document = "workflow chain"

  /// A chain.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if there is no workflow, or one of
  ///   them has no round.
  public init(_ workflows: [any Workflow]) throws {
    let flat = workflows.flatMap { ($0 as? WorkflowChain)?.workflows ?? [$0] }
    guard !flat.isEmpty else {
      throw FederationError(code: .invalidConfiguration, message: "the chain has no workflow")
    }
    var total = 0
    for workflow in flat {
      try checkRounds(workflow.rounds)
      let (sum, overflow) = total.addingReportingOverflow(workflow.rounds)
      total = overflow ? .max : sum
    }
    rounds = total
    self.workflows = flat
  }

  /// That of the first workflow that has one.
  public var reasonAgainstEncryption: String? {
    workflows.lazy.compactMap(\.reasonAgainstEncryption).first
  }

  /// The chain of what they are there.
  public var inDeployment: any Workflow {
    // A chain of as many as this one.
    (try? WorkflowChain(workflows.map(\.inDeployment))) ?? self
  }

  /// Whether one of them does.
  public var trains: Bool { workflows.contains(where: \.trains) }

  /// Ends the workflow that is under way; the next one follows.
  ///
  /// Between two of them there is nothing to end.
  public func endEarly(_ state: inout WorkflowState) {
    guard let position = try? state.document(Self.document, as: Position.self),
      position.rounds > 0, workflows.indices.contains(position.workflow)
    else { return }
    workflows[position.workflow].endEarly(&state)
    let next = Position(workflow: position.workflow + 1)
    state.isFinished = next.workflow == workflows.count
    // A position is always JSON.
    try? state.setDocument(Self.document, to: next)
  }

  /// Carries out the next round of the workflow whose turn it is.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    var position = try state.document(Self.document, as: Position.self) ?? Position()
    guard workflows.indices.contains(position.workflow) else {
      state.isFinished = true
      return
    }
    let workflow = workflows[position.workflow]
    try await workflow.run(&state, with: controller)
    position.rounds += 1
    if state.isFinished || position.rounds >= workflow.rounds {
      position = Position(workflow: position.workflow + 1)
      state.isFinished = position.workflow == workflows.count
    }
    try state.setDocument(Self.document, to: position)
  }
}
