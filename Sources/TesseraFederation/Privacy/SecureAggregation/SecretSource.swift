internal import Crypto
internal import Foundation
public import TesseraCore

/// Where what must stay secret comes from: keys and seeds of secure aggregation, noise that protects, and who is drawn by chance.
public enum SecretSource: Sendable, Hashable {
  /// The operating system's secure generator: the choice of every deployment.
  case system
  /// Derived from a key, so that a simulation can be repeated to the bit.
  ///
  /// Whoever knows the key, or tries its 64 bits, knows every secret: for simulations and tests alone.
  case reproducible(RandomKey)
  /// Derived from 256 bits that somebody keeps: it can be repeated by whoever has them, and by no one else.
  case held(HeldSecret)

  /// 32 secret bytes for a purpose.
  ///
  /// From ``system`` they are new with every call; from a key, the same for the same purpose.
  func secret(_ purpose: String) -> SymmetricKey {
    switch self {
    case .system: SymmetricKey(size: .bits256)
    case .held(let secret): secret.secret(purpose)
    case .reproducible(let key):
      SymmetricKey(
        data: SHA256.hash(
          data: withUnsafeBytes(of: key[purpose].value.littleEndian) { Data($0) }
            + Data("tessera reproducible secret".utf8)
        )
      )
    }
  }

  /// A source of its own for a purpose: what is drawn from it tells nothing of what others draw.
  public func derived(_ purpose: String) -> SecretSource {
    switch self {
    case .system: .system
    case .reproducible(let key): .reproducible(key[purpose])
    case .held(let secret): .held(secret.derived(purpose))
    }
  }

  /// Random numbers as secret as ``secret(_:)``.
  func numbers(_ purpose: String) -> KeyStreamNumbers {
    KeyStreamNumbers(key: secret(purpose))
  }

  /// A key pair for X25519.
  func agreementKey(_ purpose: String) throws -> Curve25519.KeyAgreement.PrivateKey {
    try secret(purpose).withUnsafeBytes {
      try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: $0)
    }
  }
}
