public import Crypto

/// Who a site is, for signed rounds: its own signing key, and the keys that it knows the others by.
///
/// The keys of the others come from the federation's certificates, not from the server of the round; a server could forge
/// whatever it hands out itself.
public struct SiteIdentity: Sendable {
  /// The site's Ed25519 key.
  public var privateKey: Curve25519.Signing.PrivateKey
  /// The Ed25519 keys of the other sites.
  public var peers: [Int: Curve25519.Signing.PublicKey]

  /// What the others know the site by.
  public var publicKey: Curve25519.Signing.PublicKey { privateKey.publicKey }

  /// An identity.
  public init(
    privateKey: Curve25519.Signing.PrivateKey,
    peers: [Int: Curve25519.Signing.PublicKey]
  ) {
    self.privateKey = privateKey
    self.peers = peers
  }
}
