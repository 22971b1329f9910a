internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
internal import TesseraFederation
internal import TesseraProvisioning

/// The server's end of the connections that sites open.
struct WorkService: Tessera_Federation_V1_Work.StreamingServiceProtocol {
  let desks: SiteDesks
  let security: MutualTLS
  let limits: ExchangeLimits

  /// The site at the other end, by its certificate.
  private func site(_ context: ServerContext) throws -> CertifiedParticipant {
    guard
      let certificate = (context.transportSpecific as? HTTP2ServerTransport.Posix.Context)?
        .peerCertificate,
      let participant = try? security.certified(certificate), participant.kind == .site
    else {
      throw RPCError(code: .permissionDenied, message: "only sites of this federation work here")
    }
    return participant
  }

  func attend(
    request: StreamingServerRequest<Tessera_Federation_V1_FromSite>,
    context: ServerContext
  ) async throws -> StreamingServerResponse<Tessera_Federation_V1_FromServer> {
    let desk = desks[try site(context).name]
    let limits = limits
    return StreamingServerResponse { writer in
      let (number, outbox) = desk.connect()
      defer { desk.disconnect(number) }
      do {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            for try await message in request.messages {
              desk.received(try SiteMessage(message, limits: limits), at: number)
            }
          }
          group.addTask {
            for try await message in outbox { try await writer.write(try message.proto()) }
          }
          try await group.next()
          group.cancelAll()
        }
      } catch let error as FederationError {
        throw RPCError(code: .failedPrecondition, message: error.message)
      }
      return [:]
    }
  }

  func fetch(
    request: StreamingServerRequest<Tessera_Federation_V1_FetchRequest>,
    context: ServerContext
  ) async throws -> StreamingServerResponse<Tessera_Federation_V1_Chunk> {
    let desk = desks[try site(context).name]
    return StreamingServerResponse { writer in
      for try await wanted in request.messages {
        do {
          let id = try TaskID(wanted.id)
          // A task that nobody waits for any longer has no content; the site is told so on its connection.
          guard let content = desk.content(of: id) else { break }
          for chunk in wanted.chunks {
            let index = try Int(wire: chunk)
            guard index < content.chunkCount else {
              throw FederationError.wire("chunk \(index) of \(content.chunkCount)")
            }
            let bytes = Data(try content.chunk(index))
            try await writer.write(
              .with {
                $0.id = wanted.id
                $0.index = chunk
                $0.bytes = bytes
              }
            )
          }
        } catch let error as FederationError {
          throw RPCError(code: .invalidArgument, message: error.message)
        }
      }
      return [:]
    }
  }

  func deliver(
    request: StreamingServerRequest<Tessera_Federation_V1_Chunk>,
    context: ServerContext
  ) async throws -> StreamingServerResponse<Tessera_Federation_V1_DeliverReply> {
    let desk = desks[try site(context).name]
    return StreamingServerResponse { writer in
      for try await chunk in request.messages {
        do {
          desk.handle(
            .chunk(
              try TaskID(chunk.id),
              index: try Int(wire: chunk.index),
              bytes: Array(chunk.bytes)
            )
          )
        } catch let error as FederationError {
          throw RPCError(code: .invalidArgument, message: error.message)
        }
      }
      try await writer.write(Tessera_Federation_V1_DeliverReply())
      return [:]
    }
  }
}
