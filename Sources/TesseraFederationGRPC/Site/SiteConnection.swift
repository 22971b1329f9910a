internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SwiftProtobuf
internal import TesseraFederation

/// One connection of a site to its server: carries what the site's duties say, and tells them what arrives.
struct SiteConnection: Sendable {
  typealias Client = Tessera_Federation_V1_Work.Client<HTTP2ClientTransport.Posix>

  let client: Client
  let work: SiteWork
  let limits: ExchangeLimits

  /// Until the connection is over.
  ///
  /// - Parameter welcomed: Is called when the server has taken the site in.
  /// - Throws: What ended the connection.
  func run(welcomed: @escaping @Sendable () -> Void) async throws {
    let (number, errands) = work.connect()
    defer { work.disconnect(number) }
    let (outbox, out) = AsyncStream<Tessera_Federation_V1_FromSite>.makeStream()
    out.yield(try SiteMessage.greeting(open: work.open).proto())
    let limits = limits
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        var options = CallOptions.defaults
        options.maxResponseMessageBytes = Wire.messageLimit
        options.waitForReady = false
        try await client.attend(
          options: options,
          requestProducer: { writer in
            for await message in outbox { try await writer.write(message) }
          },
          onResponse: { response in
            for try await proto in response.messages {
              let message = try ServerMessage(proto, limits: limits)
              if case .welcome = message { welcomed() }
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

  private func fetch(_ chunks: [Int], of id: TaskID) async throws {
    var options = CallOptions.defaults
    options.maxResponseMessageBytes = Wire.messageLimit
    try await client.fetch(
      .with {
        $0.id = id.proto
        $0.chunks = chunks.map(Int64.init)
      },
      options: options
    ) { response in
      for try await chunk in response.messages {
        work.handle(
          .chunk(id, index: try Int(wire: chunk.index), bytes: Array(chunk.bytes))
        )
      }
    }
  }

  private func deliver(_ chunks: [Int], of parcel: OutgoingParcel, to id: TaskID) async throws {
    _ = try await client.deliver(requestProducer: { writer in
      for index in chunks {
        let bytes = Data(try parcel.chunk(index))
        try await writer.write(
          .with {
            $0.id = id.proto
            $0.index = Int64(index)
            $0.bytes = bytes
          }
        )
      }
    })
  }
}
