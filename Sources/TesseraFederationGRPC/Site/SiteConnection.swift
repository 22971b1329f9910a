internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCProtobuf
internal import SwiftProtobuf
internal import SystemPackage
internal import TesseraFederation

/// One connection of a site to its server: carries what the site's duties say, and tells them what arrives.
struct SiteConnection: Sendable {
  let client: GRPCClient<SecuredTransport>
  let work: SiteWork
  let limits: ExchangeLimits
  /// The folder that large tasks lie in until they are done; they lie in memory if `nil`.
  let spool: FilePath?

  /// Until the connection is over.
  ///
  /// - Parameter welcomed: Is called when the server has taken the site in, with how many seconds the site's clock is ahead of the
  ///   server's, if that tells its time.
  /// - Throws: What ended the connection.
  func run(welcomed: @escaping @Sendable (_ clockDifference: Double?) -> Void) async throws {
    let (number, errands) = work.connect()
    defer { work.disconnect(number) }
    let (outbox, out) = AsyncStream<Tessera_Federation_V1_FromSite>.makeStream()
    out.yield(try SiteMessage.greeting(open: work.open, jobs: work.jobs).proto())
    let (limits, spool, options) = (limits, spool, Self.options)
    let service = Tessera_Federation_V1_Work.Client(wrapping: client)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await service.attend(
          options: options,
          requestProducer: { writer in
            for await message in outbox { try await writer.write(message) }
          },
          onResponse: { response in
            for try await proto in response.messages {
              let message = try ServerMessage(proto, limits: limits, spool: spool)
              if case .welcome(let welcome) = proto.event {
                welcomed(
                  welcome.time == 0
                    ? nil : Date(millisecondsSince1970: welcome.time).timeIntervalSinceNow * -1
                )
              }
              work.handle(.received(message))
            }
          }
        )
      }
      group.addTask {
        // Chunks travel beside the messages: a sign of life does not wait behind a model.
        try await withThrowingDiscardingTaskGroup { transfers in
          for try await errand in errands {
            switch errand {
            case .say(let message): out.yield(try message.proto())
            case .announce(let id, let parcel):
              out.yield(try SiteMessage.announcement(id, parcel))
            case .fetch(let id, let chunks):
              transfers.addTask { try await fetch(chunks, of: id) }
            case .deliver(let id, let parcel, let chunks):
              transfers.addTask { try await deliver(chunks, of: parcel, to: id) }
            }
          }
        }
      }
      defer {
        out.finish()
        group.cancelAll()
      }
      try await group.next()
    }
  }

  private static var options: CallOptions {
    var options = CallOptions.defaults
    options.maxRequestMessageBytes = Wire.messageLimit
    options.maxResponseMessageBytes = Wire.messageLimit
    // A server that is not there is tried again by who knows its other addresses.
    options.waitForReady = false
    return options
  }

  private func fetch(_ chunks: [Int], of id: TaskID) async throws {
    try await client.serverStreaming(
      request: ClientRequest(
        message: .with {
          $0.id = id.proto
          $0.chunks = chunks.map(Int64.init)
        }
      ),
      descriptor: Tessera_Federation_V1_Work.Method.Fetch.descriptor,
      serializer: ProtobufSerializer<Tessera_Federation_V1_FetchRequest>(),
      deserializer: ChunkDeserializer(),
      options: Self.options
    ) { response in
      for try await arrived in response.messages { work.handle(.chunk(id, arrived.chunk)) }
    }
  }

  private func deliver(_ chunks: [Int], of parcel: OutgoingParcel, to id: TaskID) async throws {
    try await client.clientStreaming(
      request: StreamingClientRequest { writer in
        for index in chunks {
          try await writer.write(OutgoingChunk(id: id, index: index, parcel: parcel))
        }
      },
      descriptor: Tessera_Federation_V1_Work.Method.Deliver.descriptor,
      serializer: ChunkSerializer(),
      deserializer: ProtobufDeserializer<Tessera_Federation_V1_DeliverReply>(),
      options: Self.options
    ) { response in _ = try response.message }
  }
}
