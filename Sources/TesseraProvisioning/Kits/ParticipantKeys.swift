internal import Crypto
internal import Foundation
internal import SystemPackage

/// A participant's two keys: one for its certificate, one to sign what other participants check.
struct ParticipantKeys {
  var own = P256.Signing.PrivateKey()
  var signing = Curve25519.Signing.PrivateKey()

  /// Writes them, for their owner alone.
  func write(to startup: FilePath) throws {
    try KitFile.write(own.pemRepresentation, to: startup.appending("own.key"), isSecret: true)
    try KitFile.write(
      signing.rawRepresentation.base64EncodedString() + "\n",
      to: startup.appending("signing.key"),
      isSecret: true
    )
  }

  var publicSigningKey: String { signing.publicKey.rawRepresentation.base64EncodedString() }
}
