internal import Crypto
internal import Foundation

extension SecureAggregationClient {
  mutating func confirm(
    _ survivors: [Int],
    _ held: [Int: HeldShares],
    _ neighbours: Set<Int>
  ) throws -> Data {
    guard let identity else { throw violation("a list to sign in a round that is not signed") }
    try check(survivors, held, neighbours)
    let signature = try identity.privateKey.signature(for: keys.signedSurvivors(survivors))
    phase = .confirmed(held: held, neighbours: neighbours, survivors: survivors)
    return signature
  }

  mutating func unmask(
    _ request: UnmaskingRequest,
    _ held: [Int: HeldShares],
    _ neighbours: Set<Int>,
    confirmed: [Int]?
  ) throws -> UnmaskingShares {
    let survivors = request.survivors
    try check(survivors, held, neighbours)
    if let identity {
      guard let confirmed, confirmed == survivors else {
        throw violation("another list of survivors than was signed")
      }
      try check(request.confirmations, of: survivors, by: neighbours, identity)
    }
    let alive = Set(survivors)
    // The list is redundant, so that a request that was garbled on the way is noticed.
    guard request.dropped == held.keys.filter({ !alive.contains($0) }).sorted() else {
      throw violation(
        "sites that dropped out are not those neighbours that sent shares and did not survive"
      )
    }
    let kept = held.keys.filter(alive.contains).sorted()
    let answer = UnmaskingShares(
      selfMaskShares: kept.compactMap { site in
        held[site].map { SiteBytes(site: site, bytes: Data($0.selfMaskShare)) }
      },
      maskKeyShares: request.dropped.compactMap { site in
        held[site].map { SiteBytes(site: site, bytes: Data($0.maskKeyShare)) }
      }
    )
    // With this phase go the shares: a second request cannot have the other halves.
    phase = .finished(reason: "unmasking was answered already, and is answered once a round")
    return answer
  }

  /// Refuses a list of survivors that could not be, or is too short to hide anyone in.
  private func check(
    _ survivors: [Int],
    _ held: [Int: HeldShares],
    _ neighbours: Set<Int>
  ) throws {
    guard isAscending(survivors, within: Set(configuration.sites)), survivors.contains(site) else {
      throw violation("a survivor that is unknown or named twice, or this site is missing")
    }
    guard survivors.count >= configuration.minimumSurvivors else {
      throw violation(
        "\(survivors.count) survivors where \(configuration.minimumSurvivors) are needed"
      )
    }
    let near = survivors.count { held[$0] != nil }
    guard near >= configuration.threshold else {
      throw violation(
        "\(near) survivors in the neighbourhood where \(configuration.threshold) are needed"
      )
    }
    // Who shared nothing cannot have sent a vector; in a complete graph all others are neighbours.
    let strangers = survivors.filter {
      held[$0] == nil && (neighbours.contains($0) || configuration.isComplete)
    }
    guard strangers.isEmpty else {
      throw violation("sites \(strangers) cannot have survived, as they never shared their keys")
    }
  }

  private func check(
    _ confirmations: [SiteBytes],
    of survivors: [Int],
    by neighbours: Set<Int>,
    _ identity: SiteIdentity
  ) throws {
    let signers = confirmations.map(\.site)
    guard isAscending(signers, within: neighbours.intersection(survivors)) else {
      throw violation("a signature by a site that is no surviving neighbour, or two by one")
    }
    guard signers.count + 1 >= configuration.threshold else {
      throw violation(
        """
        \(signers.count) neighbours signed the list of survivors where \
        \(configuration.threshold - 1) are needed
        """
      )
    }
    let signed = keys.signedSurvivors(survivors)
    for confirmation in confirmations {
      guard let peer = identity.peers[confirmation.site],
        peer.isValidSignature(confirmation.bytes, for: signed)
      else { throw violation("site \(confirmation.site) did not sign this list of survivors") }
    }
  }
}
