internal import Synchronization
internal import TesseraCore

/// A site's part in secure aggregation: keeps the protocol's state from phase to phase, and masks what the site's work gives.
///
/// The state lives as long as the process: if that ends, the round begins anew with new keys.
final class SecureSite: Sendable {
  private struct Session {
    var client: SecureAggregationClient
    var terms: SecureTerms
  }
  private let secrets: SecretSource
  private let sessions = Mutex<[Int: Session]>([:])

  init(secrets: SecretSource) {
    self.secrets = secrets
  }

  /// Answers a phase's request.
  ///
  /// - Parameters:
  ///   - task: The request.
  ///   - work: Carries out the task whose result is masked.
  /// - Returns: What the protocol has the site answer.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if the request breaks the rules, and what
  ///   `work` throws.
  func answer(
    _ task: SiteTask,
    work: (SiteTask) async throws -> Exchange
  ) async throws -> Exchange {
    let request = try task.data.secureRequest()
    var session: Session
    if case .advertiseKeys(let configuration) = request {
      guard let terms = try task.data.secureTerms(), terms.agreement == configuration.agreement
      else {
        throw FederationError(
          code: .protocolViolation,
          message: "secure aggregation: the terms are not those of the configuration"
        )
      }
      session = Session(
        client: try SecureAggregationClient(
          site: task.site.index,
          configuration: configuration,
          secrets: secrets
        ),
        terms: terms
      )
    } else {
      guard let open = sessions.withLock({ $0[task.site.index] }) else {
        throw FederationError(
          code: .protocolViolation,
          message: "secure aggregation: a request before the keys were made"
        )
      }
      session = open
    }
    var vector: [UInt64] = []
    if case .maskVector = request {
      guard let (name, data) = task.data.secureTask() else {
        throw FederationError(
          code: .protocolViolation,
          message: "secure aggregation: a request for a vector without its task"
        )
      }
      var own = task
      own.name = name
      own.data = data
      let update = try await work(own)
      vector = try encode(update, of: own, session)
    }
    let answer = try session.client.answer(request) { vector }
    let next: Session? = if case .unmask = request { nil } else { session }
    sessions.withLock { $0[task.site.index] = next }
    return try Exchange(answer)
  }

  private static func squaredNorm(of tensor: Tensor) throws -> Double {
    let values = try tensor.to(.float64)
    return try (values * values).sum().item()
  }

  private func encode(
    _ update: Exchange,
    of task: SiteTask,
    _ session: Session
  ) throws -> [UInt64] {
    guard update.returnCode == .ok, update.kind.isModel else {
      throw FederationError.rejected(
        task.site,
        update.reason ?? "it has no update to be summed"
      )
    }
    let terms = session.terms
    guard let noise = terms.noise else {
      let update = try update.asWeights(from: task.data)
      return try terms.encoding.encode(
        update.tensors,
        weight: update.weight(from: task.site),
        clipping: terms.clips
      )
    }
    let difference = try update.asDifference(from: task.data).tensors
    var squares = 0.0
    for tensor in difference.tensors where tensor.dtype.isFloatingPoint {
      squares += try Self.squaredNorm(of: tensor)
    }
    let factor = min(1, noise.clipNorm / max(squares.squareRoot(), .leastNormalMagnitude))
    let clipped = try difference.mapTensors { _, tensor in
      tensor.dtype.isFloatingPoint && factor < 1 ? try (tensor * factor).to(tensor.dtype) : tensor
    }
    var vector = try terms.encoding.encode(clipped, weight: 1, clipping: terms.clips)
    try DistributedNoise(
      deviation: noise.multiplier * noise.clipNorm,
      of: terms.encoding,
      minimumSurvivors: session.client.configuration.minimumSurvivors
    ).addShare(
      to: &vector,
      first: terms.encoding.elementCount,
      secrets: secrets.derived(for: task)
    )
    return vector
  }
}

extension SecretSource {
  /// A source of its own for one task of one site.
  fileprivate func derived(for task: SiteTask) -> SecretSource {
    switch self {
    case .system: .system
    case .reproducible(let key): .reproducible(key["noise"][task.step][task.site.index])
    }
  }
}

extension Exchange {
  /// A model's weights, whatever form it has.
  func asWeights(from reference: Exchange) throws -> Exchange {
    guard kind == .weightDifference else { return self }
    var result = try reference.adding(self)
    result.kind = .weights
    result.metadata = metadata
    result.metrics = metrics
    return result
  }

  /// A model's difference from what the task came with, whatever form it has.
  func asDifference(from reference: Exchange) throws -> Exchange {
    guard kind == .weights else { return self }
    var result = self
    result.kind = .weightDifference
    result.tensors = try tensors.mapTensors { name, tensor in
      guard let own = reference.tensors[name] else {
        throw FederationError(
          code: .rejectedUpdate,
          message: "the model has no tensor '\(name)' to take a difference from"
        )
      }
      return try (tensor - own).to(tensor.dtype)
    }
    return result
  }
}
