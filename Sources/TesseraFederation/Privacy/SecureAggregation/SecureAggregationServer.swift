public import Crypto
internal import Foundation
public import TesseraCore

/// The server's side of one round of secure aggregation (Bonawitz et al., 2017; Bell et al., 2020), as a pure state machine:
/// events in, actions out.
///
/// In each phase some sites are asked and answer once; a site that fails, answers wrongly or is still pending at the deadline
/// has dropped out. The round goes on as long as the sum can still be unmasked by ``SecureAggregationConfiguration/threshold``
/// shares of everybody's secret, and is of ``SecureAggregationConfiguration/minimumSurvivors`` vectors:
///
/// | phase | a site that drops out in it |
/// |---|---|
/// | advertise keys, share keys | is not part of the sum; nobody has masked anything with it |
/// | mask vector | is not part of the sum; its masks are removed with its key, put together from its neighbours' shares |
/// | confirm survivors (signed rounds), unmask | is part of the sum; its self-mask is put together from its neighbours' shares |
///
/// Vectors are added up as they arrive, so memory holds one vector whatever the number of sites.
public struct SecureAggregationServer: Sendable {
  /// A part of the round.
  public enum Phase: String, Sendable, Hashable, Codable, CaseIterable {
    /// Sites send public keys.
    case advertiseKeys = "advertise keys"
    /// Sites send shares of their secrets for their neighbours.
    case shareKeys = "share keys"
    /// Sites send their vectors, masked.
    case maskVector = "mask vector"
    /// Sites sign who survived. In signed rounds only.
    case confirmSurvivors = "confirm survivors"
    /// Sites send what removes the masks.
    case unmask
    /// Nothing more happens: there is a sum, or the round was abandoned.
    case finished
  }

  /// What the server is told.
  public enum Event: Sendable {
    /// The round begins.
    case started
    /// A site has answered.
    case answered(site: Int, SecureAggregationAnswer)
    /// A site cannot or will not answer.
    case failed(site: Int, reason: String)
    /// The sites that have not answered will not be waited for.
    case deadlinePassed
  }

  /// What the server wants done.
  public enum Action: Sendable, Hashable {
    /// Ask a site; it answers once.
    case ask(site: Int, SecureAggregationRequest)
    /// A site's answer was not used, or the site is no longer part of the round.
    case reject(site: Int, reason: String)
    /// The round is over.
    case finish(SecureSum)
    /// The round cannot be completed; nothing is known of any vector.
    case abandon(reason: String)
  }

  /// What all take for granted.
  public let configuration: SecureAggregationConfiguration
  /// The part of the round under way.
  public internal(set) var phase: Phase?
  /// The sites that were asked in this phase and have not answered.
  public internal(set) var pending: Set<Int> = []
  /// Who dropped out, in which phase and why.
  public internal(set) var dropouts: [SecureSum.Dropout] = []

  let keys: SecureAggregationKeys
  let graphKey: RandomKey
  let identities: [Int: Curve25519.Signing.PublicKey]?
  var advertised: [Int: AdvertisedKeys] = [:]
  private var publicKeys: Set<Data> = []
  /// Over the sites that advertised keys; there is none before.
  var graph: NeighbourGraph?
  var shared: [Int: EncryptedShares] = [:]
  /// The sites whose vectors are in the sum.
  var survivors: Set<Int> = []
  var sum: [UInt64] = []
  var confirmations: [Int: Data] = [:]
  var unmasking: [Int: UnmaskingShares] = [:]

  /// A server of one round.
  ///
  /// - Parameters:
  ///   - configuration: What all take for granted.
  ///   - graphKey: Draws the graph of neighbours; must be unpredictable to corrupt sites.
  ///   - identities: In signed rounds, the keys that sites sign with: with them, a site whose signature is wrong drops out,
  ///     instead of making its neighbours refuse.
  public init(
    configuration: SecureAggregationConfiguration,
    graphKey: RandomKey,
    identities: [Int: Curve25519.Signing.PublicKey]? = nil
  ) {
    self.configuration = configuration
    self.graphKey = graphKey
    self.identities = configuration.signed ? identities : nil
    keys = SecureAggregationKeys(configuration)
  }

  /// Takes an event and says what follows from it.
  ///
  /// - Complexity: What ends the phase `unmask` removes the masks: some nanoseconds for each element, survivor and, for each
  ///   site that dropped out late, neighbour.
  public mutating func handle(_ event: Event) -> [Action] {
    switch (phase, event) {
    case (nil, .started):
      phase = .advertiseKeys
      pending = Set(configuration.sites)
      return configuration.sites.map { .ask(site: $0, .advertiseKeys(configuration)) }
    case (nil, _), (.finished, _), (_, .started):
      return []
    case (.some(let phase), .answered(let site, let answer)):
      guard pending.contains(site) else {
        let reason = "phase '\(phase.rawValue)': it has answered already, or was not asked"
        return [.reject(site: site, reason: reason)]
      }
      if let reason = accept(answer, from: site) {
        drop(site, reason)
        return [.reject(site: site, reason: reason)] + settle()
      }
      pending.remove(site)
      return settle()
    case (.some, .failed(let site, let reason)):
      guard pending.contains(site) else { return [] }
      drop(site, reason)
      return settle()
    case (.some, .deadlinePassed):
      for site in pending.sorted() { drop(site, "no answer in time") }
      return settle()
    }
  }

  mutating func drop(_ site: Int, _ reason: String) {
    guard let phase else { return }
    pending.remove(site)
    dropouts.append(SecureSum.Dropout(site: site, phase: phase, reason: reason))
  }

  /// Keeps an answer, or says why not.
  private mutating func accept(_ answer: SecureAggregationAnswer, from site: Int) -> String? {
    switch (phase, answer) {
    case (.advertiseKeys, .keys(let message)): accept(message, from: site)
    case (.shareKeys, .shares(let message)): accept(message, from: site)
    case (.maskVector, .masked(let message)): accept(message, from: site)
    case (.confirmSurvivors, .confirmation(let signature)): accept(signature, from: site)
    case (.unmask, .unmasking(let message)): accept(message, from: site)
    default: "an answer to another question"
    }
  }

  private mutating func accept(_ message: AdvertisedKeys, from site: Int) -> String? {
    let probe = Curve25519.KeyAgreement.PrivateKey()
    for key in [message.cipherKey, message.maskKey] {
      // A point of small order gives no secret with any key; neighbours would have to give up.
      guard key.count == SecureAggregationKeys.keyBytes,
        (try? SecureAggregationKeys.agreement(of: probe, with: key)) != nil
      else { return "a key that is not one of X25519" }
    }
    guard message.cipherKey != message.maskKey else { return "one key for two purposes" }
    guard publicKeys.isDisjoint(with: [message.cipherKey, message.maskKey]) else {
      return "a key that another site has sent"
    }
    // It is passed on to neighbours, so nothing may be that nobody reads.
    let signatureBytes = configuration.signed ? SecureAggregationKeys.signatureBytes : 0
    guard message.signature.count == signatureBytes else {
      return "keys without a valid signature, or with one where none belongs"
    }
    if let identities {
      guard let identity = identities[site],
        identity.isValidSignature(message.signature, for: keys.signedKeys(message, of: site))
      else { return "keys without a valid signature" }
    }
    advertised[site] = message
    publicKeys.formUnion([message.cipherKey, message.maskKey])
    return nil
  }

  private mutating func accept(_ message: EncryptedShares, from site: Int) -> String? {
    guard message.shares.map(\.site) == graph?.neighbours(of: site) else {
      return "shares that are not one for each neighbour"
    }
    guard
      message.shares.allSatisfy({ $0.bytes.count == SecureAggregationKeys.ciphertextBytes }),
      message.commitment.count == SecureAggregationKeys.keyBytes
    else { return "shares or a commitment of another size" }
    shared[site] = message
    return nil
  }

  private mutating func accept(_ message: MaskedVector, from site: Int) -> String? {
    guard message.elements.count == configuration.vectorLength else {
      return """
        a vector of \(message.elements.count) elements where \(configuration.vectorLength) were \
        agreed
        """
    }
    if sum.isEmpty {
      sum = message.elements
    } else {
      for position in sum.indices { sum[position] &+= message.elements[position] }
    }
    survivors.insert(site)
    return nil
  }

  private mutating func accept(_ signature: Data, from site: Int) -> String? {
    guard signature.count == SecureAggregationKeys.signatureBytes else {
      return "a signature of another size"
    }
    if let identities {
      let signed = keys.signedSurvivors(survivors.sorted())
      guard let identity = identities[site], identity.isValidSignature(signature, for: signed)
      else { return "a list of survivors without a valid signature" }
    }
    confirmations[site] = signature
    return nil
  }

  private mutating func accept(_ message: UnmaskingShares, from site: Int) -> String? {
    let around = participants(around: site)
    guard
      message.selfMaskShares.map(\.site)
        == (around + [site]).filter(survivors.contains).sorted(),
      message.maskKeyShares.map(\.site) == around.filter({ !survivors.contains($0) })
    else { return "shares that are not one for each neighbour that shared its keys" }
    guard
      (message.selfMaskShares + message.maskKeyShares)
        .allSatisfy({ $0.bytes.count == SecureAggregationKeys.keyBytes })
    else { return "shares of another size" }
    unmasking[site] = message
    return nil
  }

  /// The neighbours of a site that shared their keys, ascending.
  func participants(around site: Int) -> [Int] {
    (graph?.neighbours(of: site) ?? []).filter { shared[$0] != nil }
  }
}

/// What a round of secure aggregation gives.
public struct SecureSum: Sendable, Hashable {
  /// A site that dropped out.
  public struct Dropout: Sendable, Hashable, Codable {
    /// The site.
    public var site: Int
    /// When it did.
    public var phase: SecureAggregationServer.Phase
    /// Why.
    public var reason: String
  }

  /// The sum of the contributors' vectors, modulo 2^64.
  public var elements: [UInt64]
  /// The sites whose vectors the sum is of, ascending.
  public var contributors: [Int]
  /// Who dropped out, in the order in which it happened; those that did after sending their vector are contributors too.
  public var dropouts: [Dropout]
}
