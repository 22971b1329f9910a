internal import Crypto
internal import Foundation

extension SecureAggregationServer {
  /// Puts the secrets together and removes every mask from the sum.
  mutating func finish() -> [Action] {
    do {
      for site in shared.keys.sorted() where isNeeded(site) {
        if survivors.contains(site) {
          let seed = try secret(of: site, "self-mask", \.selfMaskShares) { seed in
            keys.commitment(toSeed: seed, of: site) == shared[site]?.commitment
          }
          keys.applySelfMask(to: &sum, seed: seed, of: site, removing: true)
        } else {
          let bytes = try secret(of: site, "mask key", \.maskKeyShares) { bytes in
            let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes)
            return key?.publicKey.rawRepresentation == advertised[site]?.maskKey
          }
          try removePairwiseMasks(
            of: site,
            privateKey: Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes)
          )
        }
      }
    } catch let error as FederationError {
      return abandon(error.message)
    } catch {
      return abandon("a key that gives no secret")
    }
    phase = .finished
    defer { sum = [] }
    return [
      .finish(
        SecureSum(elements: sum, contributors: survivors.sorted(), dropouts: dropouts)
      )
    ]
  }

  /// Removes what survivors have masked their vectors with together with a site that dropped out.
  private mutating func removePairwiseMasks(
    of site: Int,
    privateKey: Curve25519.KeyAgreement.PrivateKey
  ) throws {
    for survivor in participants(around: site) where survivors.contains(survivor) {
      guard let publicKey = advertised[survivor]?.maskKey else { continue }
      // The site's own mask is the negative of the survivor's.
      try keys.applyPairwiseMask(
        to: &sum,
        of: site,
        privateKey: privateKey,
        with: survivor,
        publicKey: publicKey
      )
    }
  }

  /// The secret that passes a test, from `threshold` of its shares.
  ///
  /// With more shares than needed, as many runs of them are tried as there are, so that one wrong share does no harm.
  private func secret(
    of site: Int,
    _ name: String,
    _ list: KeyPath<UnmaskingShares, [SiteBytes]>,
    isRight: ([UInt8]) -> Bool
  ) throws -> [UInt8] {
    let keepers = ((graph?.neighbours(of: site) ?? []) + [site]).sorted()
    let shares = keepers.enumerated().compactMap { place, keeper in
      unmasking[keeper]?[keyPath: list].bytes(of: site)
        .map { ShamirSharing.Share(index: place + 1, bytes: [UInt8]($0)) }
    }
    let threshold = configuration.threshold
    guard shares.count >= threshold else {
      throw violation(
        "\(shares.count) shares of the \(name) of site \(site) have come, \(threshold) are needed"
      )
    }
    let sharing = try ShamirSharing(threshold: threshold, count: keepers.count)
    let starts = shares.count == threshold ? 1 : shares.count
    for start in 0..<starts {
      let run = (0..<threshold).map { shares[(start + $0) % shares.count] }
      let secret = try sharing.secret(of: run)
      if isRight(secret) { return secret }
    }
    throw violation(
      "the \(shares.count) shares of the \(name) of site \(site) do not fit what it committed to"
    )
  }

  private func violation(_ message: String) -> FederationError {
    FederationError(code: .protocolViolation, message: message)
  }
}
