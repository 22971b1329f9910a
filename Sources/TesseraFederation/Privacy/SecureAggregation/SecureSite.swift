internal import Crypto
internal import Foundation
internal import Synchronization
internal import TesseraCore

/// A site's part in secure aggregation: keeps the protocol's state from phase to phase, and masks what the site's work gives.
///
/// Each sum is a session, whose keys no other has. A session answers one request at a time, each of them once, and none after it
/// has refused one or failed at one. The state lives as long as the process: if that ends, what is asked of the session later is
/// refused, and the round begins anew as another session with new keys.
final class SecureSite: Sendable {
  private struct Session {
    var client: SecureAggregationClient
    var configuration: SecureAggregationConfiguration
    var terms: SecureTerms
    var protection: SumProtection
  }
  private let secrets: SecretSource
  private let policy: SecureAggregationPolicy
  private let identities: [Int: SiteIdentity]
  private let sessions = Mutex<[Int: SessionTable<Session>]>([:])
  /// How many vectors each site has given for each step.
  private let vectors = Mutex<[Int: [Int: Int]]>([:])

  init(
    secrets: SecretSource,
    policy: SecureAggregationPolicy = SecureAggregationPolicy(),
    identities: [Int: SiteIdentity] = [:]
  ) {
    self.secrets = secrets
    self.policy = policy
    self.identities = identities
  }

  /// Answers a phase's request.
  ///
  /// - Parameters:
  ///   - task: The request.
  ///   - work: Carries out the task whose result is masked, and is told what protects the sum that it leaves in.
  /// - Returns: What the protocol has the site answer.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if the request breaks the rules or the
  ///   site's policy, and what `work` throws.
  func answer(
    _ task: SiteTask,
    work: (SiteTask, SumProtection) async throws -> Exchange
  ) async throws -> Exchange {
    let site = task.site.index
    let request = try task.data.secureRequest()
    let name = try task.data.secureSession()
    var session: Session
    if case .advertiseKeys(let configuration) = request {
      session = try open(configuration, name, for: task)
      try sessions.withLock { try $0[site, default: SessionTable()].begin(name) }
    } else {
      // Out of the table while it is at work: two requests at once must not both mask with its keys.
      session = try sessions.withLock { try $0[site, default: SessionTable()].take(name) }
    }
    do {
      var vector: [UInt64] = []
      if case .maskVector = request {
        // Before anything is computed that would not be used.
        guard session.client.expectsVectorRequest else {
          throw SessionTable<Session>.violation("a request for a vector out of turn")
        }
        guard let (name, data) = task.data.secureTask() else {
          throw SessionTable<Session>.violation("a request for a vector without its task")
        }
        var own = task
        own.name = name
        own.data = data
        let update = try await work(own, session.protection)
        vector = try encode(update, of: own, session)
      }
      let answer = try Exchange(session.client.answer(request) { vector })
      if case .unmask = request {
        sessions.withLock { $0[site]?.end(name) }
      } else {
        sessions.withLock { [session] in $0[site]?.putBack(session, name) }
      }
      return answer
    } catch {
      sessions.withLock { $0[site]?.end(name) }
      throw error
    }
  }

  /// A session as the server wants it, if the site takes part in such.
  private func open(
    _ configuration: SecureAggregationConfiguration,
    _ name: String,
    for task: SiteTask
  ) throws -> Session {
    guard let terms = try task.data.secureTerms(), terms.agreement == configuration.agreement,
      configuration.session == name, configuration.vectorLength == terms.encoding.vectorLength
    else {
      throw SessionTable<Session>.violation("the terms are not those of the configuration")
    }
    let identity = identities[task.site.index]
    try policy.check(configuration, terms, at: task.site, identity: identity)
    return Session(
      client: try SecureAggregationClient(
        site: task.site.index,
        configuration: configuration,
        identity: identity,
        secrets: secrets
      ),
      configuration: configuration,
      terms: terms,
      protection: SumProtection(
        events: try policy.privacyEvents(of: configuration, terms),
        session: name
      )
    )
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
        update.headers["reason"] ?? "it has no update to be summed"
      )
    }
    let terms = session.terms
    guard let noise = terms.noise, let distributed = try terms.distributedNoise() else {
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
    // In full precision: rounded to the tensor's own, the clipped update could be longer than the norm again.
    let clipped = try difference.mapTensors { _, tensor in
      tensor.dtype.isFloatingPoint ? try tensor.to(.float64) * factor : tensor
    }
    var vector = try terms.encoding.encode(clipped, weight: 1, clipping: terms.clips)
    distributed.addShare(
      to: &vector,
      first: terms.encoding.elementCount,
      secrets: noiseSource(of: vector, of: task, session)
    )
    return vector
  }

  /// Where the noise of one vector comes from.
  ///
  /// Secrets that are kept draw the same for the same vector in a sum of the same sites on the same terms alone: a server that
  /// asks for another one in the same place, to take the difference, gets other noise. So does one that asks for the same again,
  /// to have it in sums that different sites survive; only a process that was started anew, and cannot know, repeats its noise.
  private func noiseSource(
    of vector: [UInt64],
    of task: SiteTask,
    _ session: Session
  ) -> SecretSource {
    if case .system = secrets { return .system }
    let (step, site) = (task.step, task.site.index)
    let attempt = vectors.withLock { vectors in
      let earlier = vectors[site]?[step] ?? 0
      vectors[site, default: [:]][step] = earlier &+ 1
      return earlier
    }
    var hash = SHA256()
    vector.withUnsafeBytes { hash.update(bufferPointer: $0) }
    session.configuration.sites.withUnsafeBytes { hash.update(bufferPointer: $0) }
    hash.update(data: Data(session.configuration.agreement.utf8))
    let digest = Data(hash.finalize()).base64EncodedString()
    return secrets.derived("noise/\(step)/\(site)/\(attempt)/\(digest)")
  }
}
