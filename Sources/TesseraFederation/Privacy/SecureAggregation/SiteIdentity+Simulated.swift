internal import Crypto
internal import Foundation
public import TesseraCore

extension SiteIdentity {
  /// Identities of simulated sites, which know each other, by their indices.
  ///
  /// Whoever knows the key, or tries its 64 bits, can sign for every site: for simulations and tests alone.
  ///
  /// - Parameters:
  ///   - sites: The sites.
  ///   - key: What all keys follow from.
  /// - Returns: An identity for each site.
  /// - Throws: Nothing, unless the system has no Ed25519.
  public static func simulated(for sites: [Site], key: RandomKey) throws -> [Int: SiteIdentity] {
    var privateKeys: [Int: Curve25519.Signing.PrivateKey] = [:]
    for site in sites {
      let secret = SecretSource.reproducible(key[site.index]).secret("identity")
      privateKeys[site.index] = try secret.withUnsafeBytes {
        try Curve25519.Signing.PrivateKey(rawRepresentation: $0)
      }
    }
    let peers = privateKeys.mapValues(\.publicKey)
    return privateKeys.mapValues { SiteIdentity(privateKey: $0, peers: peers) }
  }
}
