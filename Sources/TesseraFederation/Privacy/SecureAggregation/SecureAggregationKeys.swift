internal import Crypto
internal import Foundation

/// The derivations that client and server must make alike, all bound to the round's configuration.
struct SecureAggregationKeys: Sendable, Hashable {
  static let keyBytes = 32
  static let signatureBytes = 64
  static let ciphertextBytes = 2 * keyBytes + 16

  /// ``SecureAggregationConfiguration/digest``.
  let context: Data

  init(_ configuration: SecureAggregationConfiguration) {
    context = configuration.digest
  }

  /// Whoever asked says whose key it was.
  private struct KeyOfSmallOrder: Error {}

  /// What two key pairs have in common, refusing keys with which everybody has the same: points of small order.
  static func agreement(
    of privateKey: Curve25519.KeyAgreement.PrivateKey,
    with publicKey: Data
  ) throws -> SharedSecret {
    let secret = try privateKey.sharedSecretFromKeyAgreement(
      with: Curve25519.KeyAgreement.PublicKey(rawRepresentation: publicKey)
    )
    // RFC 7748, section 6.1; the library does not check it.
    guard secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0 else {
      throw KeyOfSmallOrder()
    }
    return secret
  }

  /// Applies the mask of two sites to the vector of one: what the lower adds, the higher subtracts.
  ///
  /// - Throws: If the public key gives no secret (a point of small order).
  func applyPairwiseMask(
    to vector: inout [UInt64],
    of site: Int,
    privateKey: Curve25519.KeyAgreement.PrivateKey,
    with peer: Int,
    publicKey: Data
  ) throws {
    let secret = try Self.agreement(of: privateKey, with: publicKey)
    let key = derived(from: secret, "pairwise mask", min(site, peer), max(site, peer))
    var stream = KeyStream(key: key)
    stream.mask(&vector, subtracting: site > peer)
  }

  /// Adds the mask that a site alone knows, or takes it away.
  func applySelfMask(
    to vector: inout [UInt64],
    seed: [UInt8],
    of site: Int,
    removing: Bool = false
  ) {
    let key = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: seed),
      salt: context,
      info: info("self mask", site),
      outputByteCount: Self.keyBytes
    )
    var stream = KeyStream(key: key)
    stream.mask(&vector, subtracting: removing)
  }

  /// Shows whether a seed was put together rightly; says nothing about it, as it has 256 bits.
  func commitment(toSeed seed: [UInt8], of site: Int) -> Data {
    var hash = SHA256()
    hash.update(data: context)
    hash.update(data: info("self mask commitment", site))
    hash.update(data: seed)
    return Data(hash.finalize())
  }

  /// Encrypts two shares from one site for another.
  func seal(
    maskKeyShare: [UInt8],
    selfMaskShare: [UInt8],
    from sender: Int,
    privateKey: Curve25519.KeyAgreement.PrivateKey,
    to receiver: Int,
    publicKey: Data
  ) throws -> Data {
    let secret = try Self.agreement(of: privateKey, with: publicKey)
    let box = try ChaChaPoly.seal(
      maskKeyShare + selfMaskShare,
      using: derived(from: secret, "shares", sender, receiver),
      nonce: nonce(),
      authenticating: context + info("shares", sender, receiver)
    )
    // An array between them, because the ciphertext is a slice, whose indices do not start at 0.
    return Data([UInt8](box.ciphertext) + box.tag)
  }

  /// Decrypts what ``seal(maskKeyShare:selfMaskShare:from:privateKey:to:publicKey:)`` made.
  func open(
    _ bytes: Data,
    from sender: Int,
    publicKey: Data,
    to receiver: Int,
    privateKey: Curve25519.KeyAgreement.PrivateKey
  ) throws -> (maskKeyShare: [UInt8], selfMaskShare: [UInt8]) {
    let secret = try Self.agreement(of: privateKey, with: publicKey)
    let box = try ChaChaPoly.SealedBox(
      nonce: nonce(),
      ciphertext: bytes.dropLast(16),
      tag: bytes.suffix(16)
    )
    let shares = try ChaChaPoly.open(
      box,
      using: derived(from: secret, "shares", sender, receiver),
      authenticating: context + info("shares", sender, receiver)
    )
    return ([UInt8](shares.prefix(Self.keyBytes)), [UInt8](shares.dropFirst(Self.keyBytes)))
  }

  /// What a site signs with its identity to vouch for its keys.
  func signedKeys(_ keys: AdvertisedKeys, of site: Int) -> Data {
    context + info("keys", site) + keys.cipherKey + keys.maskKey
  }

  /// What a site signs to confirm who survived.
  func signedSurvivors(_ survivors: [Int]) -> Data {
    survivors.reduce(context + info("survivors")) { $0 + number($1) }
  }

  private func derived(
    from secret: SharedSecret,
    _ purpose: String,
    _ sites: Int...
  ) -> SymmetricKey {
    secret.hkdfDerivedSymmetricKey(
      using: SHA256.self,
      salt: context,
      sharedInfo: sites.reduce(info(purpose)) { $0 + number($1) },
      outputByteCount: Self.keyBytes
    )
  }

  /// Each key seals one message: both key pairs are new in every round, and each direction has a key of its own.
  private func nonce() throws -> ChaChaPoly.Nonce {
    try ChaChaPoly.Nonce(data: Data(count: 12))
  }

  private func info(_ purpose: String, _ sites: Int...) -> Data {
    sites.reduce(Data("tessera \(purpose)|".utf8)) { $0 + number($1) }
  }

  private func number(_ number: Int) -> Data {
    withUnsafeBytes(of: UInt64(bitPattern: Int64(number)).littleEndian) { Data($0) }
  }
}

extension [SiteBytes] {
  /// The bytes of a site, in entries that ascend.
  func bytes(of site: Int) -> Data? {
    var range = startIndex..<endIndex
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      if self[middle].site == site { return self[middle].bytes }
      range =
        self[middle].site < site
        ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }
}

/// What a list of sites in a message must be: ascending, so none twice, and all of them known.
func isAscending(_ sites: some Collection<Int>, within known: Set<Int>) -> Bool {
  sites.allSatisfy(known.contains) && zip(sites, sites.dropFirst()).allSatisfy { $0 < $1 }
}
