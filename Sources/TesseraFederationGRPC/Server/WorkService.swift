internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
internal import SwiftProtobuf
internal import SystemPackage
internal import TesseraFederation
internal import TesseraProvisioning

/// The server's end of the connections that sites open.
struct WorkService: RegistrableRPCService {
  let desks: SiteDesks
  let security: MutualTLS
  let limits: ExchangeLimits
  /// The folder that large answers lie in, until they are used; they lie in memory if `nil`.
  let spool: FilePath?
  let observe: @Sendable (ServerConnectionEvent) -> Void

  /// As the generated code would, but for chunks, which are most of what travels.
  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Tessera_Federation_V1_Work.Method.Attend.descriptor,
      deserializer: ProtobufDeserializer<Tessera_Federation_V1_FromSite>(),
      serializer: ProtobufSerializer<Tessera_Federation_V1_FromServer>()
    ) { try await attend(request: $0, context: $1) }
    router.registerHandler(
      forMethod: Tessera_Federation_V1_Work.Method.Fetch.descriptor,
      deserializer: ProtobufDeserializer<Tessera_Federation_V1_FetchRequest>(),
      serializer: ChunkSerializer()
    ) { try await fetch(request: $0, context: $1) }
    router.registerHandler(
      forMethod: Tessera_Federation_V1_Work.Method.Deliver.descriptor,
      deserializer: ChunkDeserializer(),
      serializer: ProtobufSerializer<Tessera_Federation_V1_DeliverReply>()
    ) { try await deliver(request: $0, context: $1) }
  }

  /// The site at the other end, by its certificate.
  private func site(_ context: ServerContext) throws -> CertifiedParticipant {
    do {
      guard
        let certificate = (context.transportSpecific as? HTTP2ServerTransport.Posix.Context)?
          .peerCertificate
      else { throw ProvisioningError(code: .untrusted, message: "it shows no certificate") }
      let participant = try security.certified(certificate)
      guard participant.kind == .site else {
        throw ProvisioningError(
          code: .notAllowed,
          message: "\(participant.name) is a \(participant.kind.rawValue), and no site"
        )
      }
      return participant
    } catch {
      observe(.refused(peer: Self.address(context), reason: "\(error)"))
      throw RPCError(code: .permissionDenied, message: "only sites of this federation work here")
    }
  }

  /// The other end's address, of gRPC's `ipv4:127.0.0.1:49152`.
  static func address(_ context: ServerContext) -> String {
    let parts = context.remotePeer.split(separator: ":")
    return parts.count > 2 ? parts[1..<parts.count - 1].joined(separator: ":") : context.remotePeer
  }

  private func attend(
    request: StreamingServerRequest<Tessera_Federation_V1_FromSite>,
    context: ServerContext
  ) async throws -> StreamingServerResponse<Tessera_Federation_V1_FromServer> {
    let site = try site(context)
    let desk = desks[site.name]
    let (limits, spool, observe) = (limits, spool, observe)
    let (peer, address) = (context.remotePeer, Self.address(context))
    return StreamingServerResponse { writer in
      let (number, outbox) = desk.connect(serial: site.serial, peer: peer)
      observe(.connected(site: site.name, address: address, serial: site.serial))
      var reason: String?
      defer {
        desk.disconnect(number)
        observe(.disconnected(site: site.name, reason: reason))
      }
      do {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            for try await message in request.messages {
              let message = try SiteMessage(message, limits: limits, spool: spool)
              desk.received(message, at: number)
            }
          }
          group.addTask {
            for try await message in outbox { try await writer.write(try message.proto()) }
          }
          defer { group.cancelAll() }
          try await group.next()
        }
      } catch {
        let shown = RPCError(closing: error)
        reason = shown.message
        throw shown
      }
      return [:]
    }
  }

  private func fetch(
    request: StreamingServerRequest<Tessera_Federation_V1_FetchRequest>,
    context: ServerContext
  ) async throws -> StreamingServerResponse<OutgoingChunk> {
    let site = try site(context)
    let desk = desks[site.name]
    let observe = observe
    return StreamingServerResponse { writer in
      do {
        for try await wanted in request.messages {
          let id = try TaskID(wanted.id)
          // A task that nobody waits for any longer has no content; the site is told so on its connection.
          guard let content = desk.content(of: id) else { break }
          let chunks = try wanted.chunks.map { chunk in
            let index = try Int(wire: chunk)
            guard index < content.chunkCount else {
              throw FederationError.wire("chunk \(index) of \(content.chunkCount)")
            }
            return index
          }
          // What is not asked for is there, and has the digests that were announced.
          var there = content.byteCount
          for index in chunks { there = max(0, there - content.byteCount(of: index)) }
          for index in chunks {
            try await writer.write(OutgoingChunk(id: id, index: index, parcel: content))
            there += content.byteCount(of: index)
            desk.sent(min(there, content.byteCount), of: content.byteCount, for: id)
          }
        }
      } catch let error as FederationError {
        observe(.refused(peer: site.name, reason: error.message))
        throw RPCError(code: .invalidArgument, message: error.message)
      }
      return [:]
    }
  }

  private func deliver(
    request: StreamingServerRequest<IncomingChunk>,
    context: ServerContext
  ) async throws -> StreamingServerResponse<Tessera_Federation_V1_DeliverReply> {
    let desk = desks[try site(context).name]
    let peer = context.remotePeer
    return StreamingServerResponse { writer in
      for try await arrived in request.messages {
        desk.received(arrived.chunk, of: arrived.id, from: peer)
      }
      try await writer.write(Tessera_Federation_V1_DeliverReply())
      return [:]
    }
  }
}

extension RPCError {
  /// What a site is told when its connection is closed.
  fileprivate init(closing error: any Error) {
    switch error {
    case let error as RPCError: self = error
    case ConnectionClosed.replaced:
      self.init(code: .aborted, message: "\(ConnectionClosed.replaced)")
    case ConnectionClosed.revoked(let reason):
      self.init(code: .permissionDenied, message: "\(ConnectionClosed.revoked(reason))")
    case ConnectionClosed.violation(let reason):
      self.init(code: .failedPrecondition, message: reason)
    case let error as FederationError:
      self.init(code: .failedPrecondition, message: error.message)
    default: self.init(code: .unavailable, message: "the connection broke")
    }
  }
}
