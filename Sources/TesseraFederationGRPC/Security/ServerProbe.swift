internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import SwiftASN1
internal import Synchronization
public import TesseraDeployment
public import TesseraProvisioning
internal import X509

/// Tries to reach a server as a participant does, and says how far it came.
///
/// It opens a connection, makes TLS 1.3 with the kit's certificate, and waits for the first bytes of HTTP/2: a server sends them to
/// those alone whom it takes in. Of a server that does, nothing is asked but its time.
public struct ServerProbe: Sendable {
  private let security: MutualTLS
  private let patience: Duration

  /// A probe.
  ///
  /// - Parameters:
  ///   - kit: Whose certificate is shown.
  ///   - patience: After which time nobody answers.
  /// - Throws: ``ProvisioningError`` if the kit's files cannot be used.
  public init(_ kit: StartupKit, patience: Duration = .seconds(5)) throws {
    security = try MutualTLS(kit, expecting: [.server]) { kit.revocations }
    self.patience = patience
  }

  /// Tries to reach a server.
  public func contact(host: String, port: Int) async -> ServerContact {
    let server = Mutex<Result<CertifiedParticipant, any Error>?>(nil)
    let security = security
    let limit = TimeAmount(patience)
    let talk: Talk
    do {
      talk = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connectTimeout(limit)
        .connect(host: host, port: port) { channel in
          let promise = channel.eventLoop.makePromise(of: Talk.Outcome.self)
          return security.secureClient(channel) { result in server.withLock { $0 = result } }
            .flatMapThrowing {
              try channel.pipeline.syncOperations.addHandler(
                Listener(outcome: promise, patience: limit)
              )
              return Talk(channel: channel, outcome: promise.futureResult)
            }
            .flatMapErrorThrowing { error in
              promise.fail(error)
              throw error
            }
        }
    } catch {
      return Self.contact(failing: error)
    }
    let outcome: Talk.Outcome
    do { outcome = try await talk.outcome.get() } catch { outcome = .ended("\(error)") }
    try? await talk.channel.close().get()
    switch (server.withLock { $0 }, outcome) {
    case (.failure(let error)?, _): return .untrusted(reason: "\(error)")
    case (nil, .ended(let reason)): return .withoutTLS(reason: reason)
    case (nil, .spoke): return .withoutTLS(reason: "it sends something else")
    case (.success(let server)?, .ended(let reason)):
      return .refused(name: server.name, reason: reason)
    case (.success(let server)?, .spoke(let expires)):
      return .welcomed(
        name: server.name,
        expires: expires,
        clockDifference: await clockDifference(host: host, port: port)
      )
    }
  }

  /// By how many seconds this machine's clock is ahead of the server's; `nil` if the server does not tell its time.
  private func clockDifference(host: String, port: Int) async -> Double? {
    try? await withGRPCClient(
      transport: HTTP2ClientTransport.Posix.secured(
        by: security,
        host: host,
        port: port,
        patience: patience
      )
    ) { client in
      var options = CallOptions.defaults
      options.timeout = patience
      options.waitForReady = false
      let clock = Tessera_Federation_V1_Clock.Client(wrapping: client)
      // The first call waits for the connection; the second takes the way there and back.
      _ = try await clock.tell(Tessera_Federation_V1_TimeRequest(), options: options)
      let before = Date.now
      let time = try await clock.tell(Tessera_Federation_V1_TimeRequest(), options: options)
      let halfWay = before.addingTimeInterval(Date.now.timeIntervalSince(before) / 2)
      return halfWay.timeIntervalSince(Date(millisecondsSince1970: time.milliseconds))
    }
  }

  private static func contact(failing error: any Error) -> ServerContact {
    let causes = (error as? NIOConnectionError)?.connectionErrors.map(\.error) ?? [error]
    let codes = causes.compactMap { ($0 as? IOError)?.errnoCode }
    if !codes.isEmpty, codes.allSatisfy({ $0 == ECONNREFUSED }) { return .notListening }
    let reasons = causes.map { cause in
      switch cause {
      case let cause as IOError: String(cString: strerror(cause.errnoCode))
      case ChannelError.connectTimeout: "nobody answers"
      default: "\(cause)"
      }
    }
    return .unreachable(reason: Set(reasons).sorted().joined(separator: ", "))
  }
}

/// A connection, and what came of it.
private struct Talk: Sendable {
  enum Outcome: Sendable {
    /// The server sent something, and its certificate ends then.
    case spoke(expires: Date)
    /// The connection ended before.
    case ended(String)
  }

  let channel: any Channel
  let outcome: EventLoopFuture<Outcome>
}

/// Waits for the first bytes.
private final class Listener: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let outcome: EventLoopPromise<Talk.Outcome>
  private let patience: TimeAmount
  private var deadline: Scheduled<Void>?
  private var reason: String?

  init(outcome: EventLoopPromise<Talk.Outcome>, patience: TimeAmount) {
    self.outcome = outcome
    self.patience = patience
  }

  func channelActive(context: ChannelHandlerContext) {
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
      self.end("it says nothing", context)
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
    let certificate = (handler?.peerCertificate).flatMap { peer in
      try? Certificate(derEncoded: peer.toDERBytes())
    }
    outcome.succeed(.spoke(expires: certificate?.notValidAfter ?? .distantFuture))
    context.close(promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    reason = reason ?? "\(error)"
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    end(reason ?? "it closes the connection", context)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    deadline?.cancel()
    outcome.succeed(.ended(reason ?? "it closes the connection"))
  }

  private func end(_ reason: String, _ context: ChannelHandlerContext) {
    deadline?.cancel()
    outcome.succeed(.ended(reason))
    context.close(promise: nil)
  }
}
