internal import Crypto
internal import Foundation
internal import TesseraCore

/// A site's side of one round of secure aggregation (Bonawitz et al., 2017; neighbourhoods after Bell et al., 2020), as a pure
/// state machine: requests in, answers out.
///
///     var client = try SecureAggregationClient(site: 3, configuration: configuration)
///     let answer = try client.answer(request) { try encoding.encode(update, weight: 120) }
///
/// The vector leaves the site under a mask of its own and one with each neighbour; the latter cancel in the sum. Of each
/// neighbour the site then gives away one share, of the self-mask if it survived or of the mask key if not, never both, once a
/// round. A request that breaks the rules is refused, and nothing is answered in this round from then on.
///
/// One value answers for the site: a copy would answer a second unmasking request on its own.
///
/// The server is trusted to draw the graph at random, and, in rounds that are not signed, to pass on keys unchanged. Memory
/// holds one vector, and 64 bytes for each neighbour.
public struct SecureAggregationClient: Sendable {
  /// The site.
  public let site: Int
  /// What all take for granted.
  public let configuration: SecureAggregationConfiguration

  enum Phase {
    /// No key has been made. Ends with `advertiseKeys`.
    case idle
    /// The keys are sent. Ends with `shareKeys`.
    case advertised(Secrets)
    /// The shares are sent. Ends with `maskVector`.
    case shared(Secrets, neighbours: [Int: AdvertisedKeys], own: HeldShares, seed: [UInt8])
    /// The vector is sent. Ends with `confirmSurvivors` in signed rounds, with `unmask` in others.
    case masked(held: [Int: HeldShares], neighbours: Set<Int>)
    /// The list of survivors is signed. Ends with `unmask`.
    case confirmed(held: [Int: HeldShares], neighbours: Set<Int>, survivors: [Int])
    /// Everything has been answered once, or a request was refused. Nothing more is answered.
    case finished(reason: String)
  }

  struct Secrets {
    var cipherKey: Curve25519.KeyAgreement.PrivateKey
    var maskKey: Curve25519.KeyAgreement.PrivateKey
  }

  /// The shares of one site's secrets that this one keeps.
  struct HeldShares {
    var maskKeyShare: [UInt8]
    var selfMaskShare: [UInt8]
  }

  let keys: SecureAggregationKeys
  let identity: SiteIdentity?
  private let secrets: SecretSource
  private let known: Set<Int>
  var phase = Phase.idle

  /// A site's side of a round.
  ///
  /// - Parameters:
  ///   - site: The site, one of the configuration's.
  ///   - configuration: What all take for granted.
  ///   - identity: Who the site is; needed in signed rounds.
  ///   - secrets: Where keys and seeds come from.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    site: Int,
    configuration: SecureAggregationConfiguration,
    identity: SiteIdentity? = nil,
    secrets: SecretSource = .system
  ) throws {
    known = Set(configuration.sites)
    guard known.contains(site) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "site \(site) is not one of the \(configuration.sites.count) sites of the round"
      )
    }
    guard !configuration.signed || identity != nil else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "site \(site): a signed round needs an identity"
      )
    }
    self.site = site
    self.configuration = configuration
    self.identity = configuration.signed ? identity : nil
    switch secrets {
    case .system: self.secrets = .system
    case .reproducible(let key):
      self.secrets = .reproducible(
        key["secure aggregation"][configuration.session][configuration.round][site]
      )
    case .held:
      self.secrets = secrets.derived(
        "secure aggregation/\(configuration.session)/\(configuration.round)/\(site)"
      )
    }
    keys = SecureAggregationKeys(configuration)
  }

  /// The answer to a request.
  ///
  /// - Parameters:
  ///   - request: The next request of the server.
  ///   - vector: Gives the vector to be summed, modulo 2^64, of the configured length; is called when it is asked for.
  /// - Returns: What the server asked for.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if the request breaks the rules, after
  ///   which every request is refused; what `vector` throws, after which the request can be answered again.
  public mutating func answer(
    _ request: SecureAggregationRequest,
    vector: () throws -> [UInt64]
  ) throws -> SecureAggregationAnswer {
    switch (phase, request) {
    case (.idle, .advertiseKeys(let configuration)):
      return .keys(try orRefused { try $0.advertise(configuration) })
    case (.advertised(let secrets), .shareKeys(let neighbours)):
      return .shares(try orRefused { try $0.share(secrets, neighbours) })
    case (.shared(let secrets, let neighbours, let own, let seed), .maskVector(let delivered)):
      var elements = try vector()
      guard elements.count == configuration.vectorLength else {
        throw FederationError(
          code: .invalidConfiguration,
          message: """
            site \(site): a vector of \(elements.count) elements where \
            \(configuration.vectorLength) were agreed
            """
        )
      }
      try orRefused { try $0.mask(&elements, secrets, neighbours, own, seed, delivered) }
      return .masked(MaskedVector(elements: elements))
    case (.masked(let held, let neighbours), .confirmSurvivors(let list)):
      return .confirmation(try orRefused { try $0.confirm(list.survivors, held, neighbours) })
    case (.masked(let held, let neighbours), .unmask(let request)):
      return .unmasking(
        try orRefused { try $0.unmask(request, held, neighbours, confirmed: nil) }
      )
    case (.confirmed(let held, let neighbours, let survivors), .unmask(let request)):
      return .unmasking(
        try orRefused { try $0.unmask(request, held, neighbours, confirmed: survivors) }
      )
    case (.finished(let reason), _):
      throw violation(reason)
    default:
      return try orRefused { throw $0.violation("a request out of turn") }
    }
  }

  /// Ends the round for this site if a request is refused: what was asked wrongly once is not asked again.
  private mutating func orRefused<Answer>(
    _ step: (inout Self) throws -> Answer
  ) throws -> Answer {
    do {
      return try step(&self)
    } catch let error as FederationError {
      phase = .finished(reason: "the round ended earlier: \(error.message)")
      throw error
    } catch {
      // A key that gives no secret, or bytes that do not decrypt: the library's errors name no site.
      let refusal = violation("a key or a ciphertext that cannot be used")
      phase = .finished(reason: "the round ended earlier: \(refusal.message)")
      throw refusal
    }
  }

  /// Whether the next request should be for the vector.
  var expectsVectorRequest: Bool { if case .shared = phase { true } else { false } }

  func violation(_ message: String) -> FederationError {
    FederationError(
      code: .protocolViolation,
      message: "secure aggregation, round \(configuration.round), site \(site): \(message)"
    )
  }

  private mutating func advertise(
    _ asked: SecureAggregationConfiguration
  ) throws -> AdvertisedKeys {
    guard asked == configuration else { throw violation("another configuration than was agreed") }
    let made = Secrets(
      cipherKey: try secrets.agreementKey("cipher key"),
      maskKey: try secrets.agreementKey("mask key")
    )
    var message = AdvertisedKeys(
      cipherKey: made.cipherKey.publicKey.rawRepresentation,
      maskKey: made.maskKey.publicKey.rawRepresentation
    )
    if let identity {
      message.signature = try identity.privateKey.signature(for: keys.signedKeys(message, of: site))
    }
    phase = .advertised(made)
    return message
  }

  private mutating func share(
    _ made: Secrets,
    _ message: NeighbourKeys
  ) throws -> EncryptedShares {
    let neighbours = message.neighbours.map(\.site)
    guard isAscending(neighbours, within: known), !neighbours.contains(site) else {
      throw violation("a neighbour that is unknown, named twice, or the site itself")
    }
    guard (max(1, configuration.threshold - 1)...configuration.degree).contains(neighbours.count)
    else {
      throw violation(
        """
        \(neighbours.count) neighbours where there must be at least \
        \(max(1, configuration.threshold - 1)) and at most \(configuration.degree)
        """
      )
    }
    var publicKeys: Set = [
      made.cipherKey.publicKey.rawRepresentation, made.maskKey.publicKey.rawRepresentation,
    ]
    for entry in message.neighbours {
      for key in [entry.keys.cipherKey, entry.keys.maskKey] {
        guard key.count == SecureAggregationKeys.keyBytes, publicKeys.insert(key).inserted else {
          throw violation("a key of site \(entry.site) has another size, or comes twice")
        }
      }
      if let identity {
        let signed = keys.signedKeys(entry.keys, of: entry.site)
        guard let peer = identity.peers[entry.site],
          peer.isValidSignature(entry.keys.signature, for: signed)
        else { throw violation("the keys of site \(entry.site) are not signed by it") }
      }
    }
    let sharing = try ShamirSharing(
      threshold: configuration.threshold,
      count: neighbours.count + 1
    )
    var numbers = secrets.numbers("polynomials")
    let seed = secrets.secret("self mask").withUnsafeBytes { [UInt8]($0) }
    let maskKey = [UInt8](made.maskKey.rawRepresentation)
    let maskKeyShares = try sharing.shares(of: maskKey, using: &numbers)
    let selfMaskShares = try sharing.shares(of: seed, using: &numbers)
    // Shares are numbered by the order of the site and its neighbours; the server counts the same way.
    let place = neighbours.count { $0 < site }
    let own = HeldShares(
      maskKeyShare: maskKeyShares[place].bytes,
      selfMaskShare: selfMaskShares[place].bytes
    )
    let ciphertexts = try message.neighbours.enumerated().map { rank, entry in
      let index = rank < place ? rank : rank + 1
      return SiteBytes(
        site: entry.site,
        bytes: try keys.seal(
          maskKeyShare: maskKeyShares[index].bytes,
          selfMaskShare: selfMaskShares[index].bytes,
          from: site,
          privateKey: made.cipherKey,
          to: entry.site,
          publicKey: entry.keys.cipherKey
        )
      )
    }
    phase = .shared(
      made,
      neighbours: Dictionary(uniqueKeysWithValues: message.neighbours.map { ($0.site, $0.keys) }),
      own: own,
      seed: seed
    )
    return EncryptedShares(
      shares: ciphertexts,
      commitment: keys.commitment(toSeed: seed, of: site)
    )
  }

  private mutating func mask(
    _ vector: inout [UInt64],
    _ made: Secrets,
    _ neighbours: [Int: AdvertisedKeys],
    _ own: HeldShares,
    _ seed: [UInt8],
    _ message: DeliveredShares
  ) throws {
    let senders = message.shares.map(\.site)
    guard isAscending(senders, within: Set(neighbours.keys)) else {
      throw violation("shares from a site that is no neighbour, or twice from one")
    }
    guard senders.count + 1 >= configuration.threshold, !senders.isEmpty else {
      throw violation(
        """
        shares from \(senders.count) neighbours, with which \(configuration.threshold) cannot help \
        to unmask
        """
      )
    }
    var held = [site: own]
    for share in message.shares {
      guard share.bytes.count == SecureAggregationKeys.ciphertextBytes,
        let sender = neighbours[share.site],
        let opened = try? keys.open(
          share.bytes,
          from: share.site,
          publicKey: sender.cipherKey,
          to: site,
          privateKey: made.cipherKey
        )
      else { throw violation("the shares of site \(share.site) do not decrypt") }
      held[share.site] = HeldShares(
        maskKeyShare: opened.maskKeyShare,
        selfMaskShare: opened.selfMaskShare
      )
    }
    keys.applySelfMask(to: &vector, seed: seed, of: site)
    for share in message.shares {
      guard let peer = neighbours[share.site] else { continue }
      try keys.applyPairwiseMask(
        to: &vector,
        of: site,
        privateKey: made.maskKey,
        with: share.site,
        publicKey: peer.maskKey
      )
    }
    phase = .masked(held: held, neighbours: Set(neighbours.keys))
  }
}
