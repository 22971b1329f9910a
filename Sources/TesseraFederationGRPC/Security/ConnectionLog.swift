internal import NIOCore
internal import Synchronization

/// Says once why a connection came to nothing.
final class ConnectionLog: Sendable {
  private let peer: String
  private let refused: @Sendable (_ peer: String, _ reason: String) -> Void
  private let isSaid = Mutex(false)

  init(peer: String, refused: @escaping @Sendable (_ peer: String, _ reason: String) -> Void) {
    self.peer = peer
    self.refused = refused
  }

  func say(_ reason: String) {
    let isFirst = isSaid.withLock { isSaid in
      defer { isSaid = true }
      return !isSaid
    }
    if isFirst { refused(peer, reason) }
  }
}

/// Takes the errors of a connection, of TLS and of HTTP/2, at the end of its pipeline.
final class ConnectionErrors: ChannelInboundHandler {
  typealias InboundIn = NIOAny

  private let log: ConnectionLog

  init(_ log: ConnectionLog) { self.log = log }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    log.say(String("\(error)".prefix(500)))
    context.fireErrorCaught(error)
  }
}
