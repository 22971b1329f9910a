internal import Foundation
internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import SystemPackage
internal import TesseraFederation
internal import TesseraProvisioning
internal import X509

/// TLS 1.3 between participants of one federation, each of which shows a certificate of its authority.
///
/// gRPC's own settings allow TLS 1.2; here is nothing older than 1.3, and whether a certificate is good is decided in one place,
/// ``CertifiedParticipant``, with the list of those that were revoked, at every connection.
struct MutualTLS: Sendable {
  private let context: NIOSSLContext
  private let root: Certificate
  private let revocations: @Sendable () -> RevocationList
  private let expected: Set<Participant.Kind>

  /// TLS by a start-up kit.
  ///
  /// - Parameters:
  ///   - kit: Whose certificate is shown, and which authority is trusted.
  ///   - expected: What the other side may be.
  ///   - revocations: Is asked at every connection.
  /// - Throws: ``ProvisioningError`` if the kit's files cannot be used.
  init(
    _ kit: StartupKit,
    expecting expected: Set<Participant.Kind>,
    revocations: @escaping @Sendable () -> RevocationList
  ) throws {
    root = kit.root
    self.expected = expected
    self.revocations = revocations
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(kit.certificateFile.string)
      let key = try NIOSSLPrivateKey(file: kit.keyFile.string, format: .pem)
      let trusted = try NIOSSLCertificate.fromPEMFile(kit.rootFile.string)
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain.map { .certificate($0) },
        privateKey: .privateKey(key)
      )
      configuration.minimumTLSVersion = .tlsv13
      configuration.certificateVerification = .noHostnameVerification
      configuration.trustRoots = .certificates(trusted)
      configuration.applicationProtocols = ["h2"]
      context = try NIOSSLContext(configuration: configuration)
    } catch {
      throw ProvisioningError(
        code: .malformed,
        message: "the keys and certificates in \(kit.folder) cannot be used: \(error)"
      )
    }
  }

  /// Puts TLS before all else of a connection that was accepted.
  ///
  /// - Parameters:
  ///   - channel: The connection.
  ///   - patience: How long the handshake, and opening a first call, may take.
  ///   - places: Where there must be room for it.
  ///   - refused: Is told why a connection comes to nothing.
  /// - Returns: When TLS is in its place.
  func secureServer(
    _ channel: any Channel,
    patience: Duration,
    places: ConnectionPlaces,
    refused: @escaping @Sendable (_ peer: String, _ reason: String) -> Void
  ) -> EventLoopFuture<Void> {
    let log = ConnectionLog(peer: channel.remoteAddress?.ipAddress ?? "unknown", refused: refused)
    let place = places.enter(channel)
    if place == nil { log.say(places.refusal) }
    return channel.eventLoop.makeCompletedFuture {
      let handler = NIOSSLServerHandler(context: context) {
        verify($0, $1, at: place, refused: log.say)
      }
      // Without a place it is closed as soon as it is set up.
      let deadline = OpeningDeadline(place == nil ? .zero : TimeAmount(patience), log: log)
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandlers([handler, deadline], position: .first)
      try pipeline.addHandler(ConnectionErrors(log))
    }
  }

  /// Puts TLS before all else of a connection that was opened.
  ///
  /// - Parameters:
  ///   - channel: The connection.
  ///   - notice: Is told who is on the other side, or why nobody is whom one may talk to.
  /// - Returns: When it is done.
  func secureClient(
    _ channel: any Channel,
    notice: @escaping @Sendable (Result<CertifiedParticipant, any Error>) -> Void = { _ in }
  ) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      let handler = try NIOSSLClientHandler(
        context: context,
        serverHostname: nil,
        customVerificationCallback: { chain, promise in
          let result = Result { try identify(chain) }
          notice(result)
          promise.completeWith(result.map { _ in .certificateVerified })
        }
      )
      try channel.pipeline.syncOperations.addHandler(handler, position: .first)
    }
  }

  private func verify(
    _ chain: [NIOSSLCertificate],
    _ promise: EventLoopPromise<NIOSSLVerificationResult>,
    at place: ConnectionPlaces.Place?,
    refused: (String) -> Void
  ) {
    let result = Result {
      try place?.take(for: identify(chain))
      return NIOSSLVerificationResult.certificateVerified
    }
    if case .failure(let error) = result { refused("\(error)") }
    promise.completeWith(result)
  }

  /// Who shows a chain of certificates, if it is somebody whom one may talk to.
  private func identify(_ chain: [NIOSSLCertificate]) throws -> CertifiedParticipant {
    guard let leaf = chain.first else {
      throw ProvisioningError(code: .untrusted, message: "it shows no certificate")
    }
    let participant = try certified(try Certificate(derEncoded: leaf.toDERBytes()))
    guard expected.contains(participant.kind) else {
      throw ProvisioningError(
        code: .untrusted,
        message: "\(participant.name) is a \(participant.kind.rawValue)"
      )
    }
    return participant
  }

  /// Who a certificate says somebody is.
  func certified(_ certificate: Certificate) throws -> CertifiedParticipant {
    try CertifiedParticipant(certificate, root: root, at: Date(), revocations: revocations())
  }
}
