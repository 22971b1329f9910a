internal import Crypto
internal import Foundation
public import TesseraCore

/// Where the keys, seeds and noise of secure aggregation come from.
public enum SecretSource: Sendable, Hashable {
  /// The operating system's secure generator: the choice of every deployment.
  case system
  /// Derived from a key, so that a simulation can be repeated to the bit.
  ///
  /// Whoever knows the key, or tries its 64 bits, knows every secret: for simulations and tests alone.
  case reproducible(RandomKey)

  /// 32 secret bytes for a purpose.
  ///
  /// From ``system`` they are new with every call; from a key, the same for the same purpose.
  func secret(_ purpose: String) -> SymmetricKey {
    switch self {
    case .system: SymmetricKey(size: .bits256)
    case .reproducible(let key):
      SymmetricKey(
        data: SHA256.hash(
          data: withUnsafeBytes(of: key[purpose].value.littleEndian) { Data($0) }
            + Data("tessera reproducible secret".utf8)
        )
      )
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
