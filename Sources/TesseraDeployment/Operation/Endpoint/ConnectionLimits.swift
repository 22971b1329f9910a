internal import NIOCore

/// Ends a connection that takes too long, sends too much, or is one too many.
final class ConnectionLimits: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private let limits: OperationsEndpoint.Limits
  private let open: OpenConnections
  private var received = 0
  private var deadline: Scheduled<Void>?

  init(_ limits: OperationsEndpoint.Limits, _ open: OpenConnections) {
    self.limits = limits
    self.open = open
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let time = open.enter(context.channel) ? TimeAmount(limits.time) : .zero
    deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
      context.close(promise: nil)
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received += Self.unwrapInboundIn(data).readableBytes
    guard received <= limits.requestSize else {
      context.close(promise: nil)
      return
    }
    context.fireChannelRead(data)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    deadline?.cancel()
    open.leave(context.channel)
  }
}
