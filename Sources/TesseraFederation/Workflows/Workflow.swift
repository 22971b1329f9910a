public import TesseraCore

/// The order of things in a federated run, round by round.
///
///     struct Averaging: Workflow {
///       let rounds = 10
///       func run(_ state: inout WorkflowState, with controller: Controller) async throws {
///         let aggregate = try await controller.gather(.train, state.global, from: controller.sites)
///         state.global = aggregate.exchange
///       }
///     }
///
/// A round depends on nothing but the state before it, the controller and what the sites answer: the state after each round is
/// kept, and a run that was killed goes on from the last one to the same end. So a workflow keeps nothing itself.
public protocol Workflow: Sendable {
  /// How many rounds there are at most.
  var rounds: Int { get }

  /// About which share of the sites is asked in a round: for estimates of the time left.
  var participation: Double { get }

  /// Why the workflow cannot do its work with models that the server cannot read (``Federation/encryption``), or `nil` if it can.
  ///
  /// A federation with encryption refuses to begin with a workflow that has such a reason, before any site is asked. Unless a
  /// workflow says otherwise, it has.
  var reasonAgainstEncryption: String? { get }

  /// What it asks the sites to do: training, unless it says otherwise.
  ///
  /// A job whose executor cannot do it is refused before it begins.
  var tasks: Set<TaskName> { get }

  /// Whether it makes the global model another one from round to round: what measures alone does not.
  var trains: Bool { get }

  /// The workflow as it is where sites are other machines, whose answers come when they come: itself, unless it imitates that.
  var inDeployment: any Workflow { get }

  /// Ends it although it has rounds left: the aim is reached.
  ///
  /// Most have nothing to do but to say so by ``WorkflowState/isFinished``.
  func endEarly(_ state: inout WorkflowState)

  /// Carries out one round.
  ///
  /// - Parameters:
  ///   - state: Where the workflow stands; what it is changed to counts once the round is done.
  ///   - controller: The ways to ask the sites, and the round's number.
  /// - Throws: ``FederationError`` if the round cannot be completed; the state then stays as it was.
  func run(_ state: inout WorkflowState, with controller: Controller) async throws
}

extension Workflow {
  /// All sites.
  public var participation: Double { 1 }

  /// That the workflow does not say that it can.
  public var reasonAgainstEncryption: String? {
    "'\(type(of: self))' does not work with models that the server cannot read"
  }

  /// The workflow, or those that it is a chain of; of each that seeks the best model, the training.
  var steps: [any Workflow] {
    ((self as? WorkflowChain)?.workflows ?? [self]).map { ($0 as? BestModel)?.workflow ?? $0 }
  }

  /// Whether sums that nobody sees the parts of are taken in it.
  public var isSecurelyAggregated: Bool { steps.contains { ($0 as? FedAvg)?.secure != nil } }

  /// Whether sites train for sums alone: what one of them has learned is never sent by itself.
  var trainsForSumsAlone: Bool {
    let training = steps.filter { $0.tasks.contains(.train) }
    return !training.isEmpty && training.allSatisfy { ($0 as? FedAvg)?.secure != nil }
  }

  /// As a rule.
  public var trains: Bool { true }

  /// The same.
  public var inDeployment: any Workflow { self }

  /// Says that it is finished.
  public func endEarly(_ state: inout WorkflowState) { state.isFinished = true }
}

/// Where a workflow stands between rounds.
public struct WorkflowState: Sendable {
  /// The global model, as sites are sent it: weights, possibly encrypted.
  public var global: Exchange
  /// Tensors that the workflow needs besides: the momentum of a server's optimizer, a control variate.
  public var memory: [String: ModelState] = [:]
  /// Results that are no model, as JSON, by name: a matrix of evaluations, statistics.
  public var documents: [String: String] = [:]
  /// Set when there is nothing more to do.
  public var isFinished = false
  /// How many tasks the job has sent by now.
  public internal(set) var step = 0
  /// How many rounds are done.
  public internal(set) var round = 0
  /// The first steps of which no answers were used, nor any after them, by the indices of sites.
  ///
  /// What sites remember of them counts for nothing (``SiteTask/unusedSince``). It is no result.
  public internal(set) var unusedAnswers: [Int: Int] = [:]

  /// A state before the first round.
  public init(_ global: Exchange) {
    self.global = global
  }

  /// A state before the first round.
  public init(model: ModelState) {
    global = .weights(model)
  }

  /// The tensors of the global model.
  public var model: ModelState {
    get { global.tensors }
    set { global.tensors = newValue }
  }
}
