internal import NIOCore
internal import NIOTLS

/// Closes a connection whose TLS handshake is not done in time: who only connects must not hold a place for ever.
final class HandshakeDeadline: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = NIOAny
  typealias InboundOut = NIOAny

  private let time: TimeAmount
  private let missed: @Sendable () -> Void
  private var deadline: Scheduled<Void>?

  init(_ time: TimeAmount, missed: @escaping @Sendable () -> Void) {
    self.time = time
    self.missed = missed
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let (channel, missed) = (context.channel, missed)
    deadline = context.eventLoop.scheduleTask(in: time) {
      missed()
      channel.close(promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted = event as? TLSUserEvent { deadline?.cancel() }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    context.fireChannelInactive()
  }
}
