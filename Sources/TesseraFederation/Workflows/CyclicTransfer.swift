internal import TesseraCore

/// Cyclic weight transfer: in each round the model travels through the sites, each training it on from where the one before it
/// left it (Chang et al., "Distributed deep learning networks among institutions for medical imaging", 2018).
///
/// No two sites train at the same time, and no site's update is averaged with another's: the model forgets a little of the
/// first sites by the time it leaves the last. Sites that fail are passed over, down to the quorum.
public struct CyclicTransfer: Workflow {
  /// In which order the sites are visited.
  public enum Order: String, Sendable, Hashable, Codable, CaseIterable {
    /// That of the list of sites, each round.
    case fixed
    /// Drawn anew each round.
    case random
  }

  /// How many rounds there are at most.
  public let rounds: Int
  /// In which order the sites are visited.
  public let order: Order
  /// The share of the sites that is visited in each round, above 0 and at most 1; drawn anew each round.
  public let fraction: Double

  /// Cyclic weight transfer.
  ///
  /// - Parameters:
  ///   - rounds: How many rounds there are at most.
  ///   - order: In which order the sites are visited.
  ///   - fraction: The share of the sites that is visited in each round, above 0 and at most 1.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(rounds: Int, order: Order = .fixed, fraction: Double = 1) throws {
    try checkRounds(rounds)
    try SiteSample.check(fraction)
    self.rounds = rounds
    self.order = order
    self.fraction = fraction
  }

  /// The server checks what it hands on.
  public var reasonAgainstEncryption: String? {
    "cyclic transfer hands each site's model on, and the server checks it, which it cannot if it is encrypted"
  }

  /// Sends the model through the sites; what the last one answers is the global model.
  public func run(_ state: inout WorkflowState, with controller: Controller) async throws {
    var sites = controller.sample(fraction)
    if order == .random {
      var numbers = KeyedRandomNumbers(key: controller.key["order"])
      sites.shuffle(using: &numbers)
    }
    state.global = try await controller.relay(.train, state.global, through: sites)
  }
}
