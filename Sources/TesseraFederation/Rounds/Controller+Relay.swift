internal import TesseraCore

extension Controller {
  /// Sends a task to sites one after the other, each with what the one before it answered.
  ///
  /// A site that gives no usable answer is passed over: of a model, one that has other tensors than the model that was sent, or
  /// values that are not finite, is not passed on.
  ///
  /// - Parameters:
  ///   - task: What is to be done.
  ///   - data: What the first site does it with.
  ///   - sites: Who is asked, in this order.
  ///   - quorum: How many must answer, and who; the federation's quorum if `nil`.
  /// - Returns: What the last site answered; of a model, as weights.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/tooFewSites`` if too few did.
  public func relay(
    _ task: TaskName = .train,
    _ data: Exchange,
    through sites: [Site],
    quorum: Quorum? = nil
  ) async throws -> Exchange {
    let quorum = quorum ?? self.quorum
    if let missing = quorum.mandatory.subtracting(sites.map(\.name)).sorted().first {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the mandatory site '\(missing)' is not among those that are asked"
      )
    }
    var (current, done) = (data, 0)
    for site in sites {
      do {
        let sink = SuccessorSink(predecessor: current)
        let single = Quorum(minimum: 1, patience: quorum.patience)
        let outcome = try await ask(task, current, [site], quorum: single, into: sink)
        current = outcome.sink.successor ?? current
        done += 1
      } catch let error as FederationError where error.code == .tooFewSites {
        guard !quorum.mandatory.contains(site.name) else { throw error }
      }
    }
    guard done >= min(quorum.minimum, sites.count) else {
      throw FederationError(
        code: .tooFewSites,
        message: "\(done) of \(sites.count) sites passed the model on, \(quorum.minimum) are needed"
      )
    }
    return current
  }
}

/// Takes what follows on an exchange in a relay.
struct SuccessorSink: AnswerSink {
  let predecessor: Exchange
  private(set) var successor: Exchange?

  init(predecessor: Exchange) { self.predecessor = predecessor }

  mutating func take(_ answer: Exchange, from site: Site) throws -> Double {
    var next = answer
    if predecessor.kind.isModel {
      next.tensors = try answer.model(succeeding: predecessor.tensors, from: site)
      next.kind = .weights
      next.metadata.excluded = []
    }
    successor = next
    return answer.claimedWeight(of: site)
  }
}

extension Exchange {
  /// The whole model that an answer makes of another: weights as they are, a difference added, what is left out kept.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if it does not fit, or is not finite.
  func model(succeeding model: ModelState, from site: Site) throws -> ModelState {
    let tensors = try tensors(matching: model, from: site)
    var position = 0
    return try model.mapTensors { name, old in
      defer { position += 1 }
      guard let tensor = tensors[position] else { return old }
      guard try tensor.count == 0 || tensor.isFinite().all().itemAsInteger() != 0 else {
        throw FederationError.rejected(site, "tensor '\(name)' is not finite")
      }
      return kind == .weightDifference ? try (old + tensor).to(old.dtype) : tensor
    }
  }
}
