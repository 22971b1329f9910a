internal import NIOCore
internal import NIOTLS

/// Closes a connection on which no call is opened in time: who only connects must not hold a place for ever, be it before the TLS
/// handshake is done or after it.
final class OpeningDeadline: ChannelInboundHandler {
  typealias InboundIn = NIOAny
  typealias InboundOut = NIOAny

  private let time: TimeAmount
  private let log: ConnectionLog
  private var deadline: Scheduled<Void>?
  private var isSecured = false

  init(_ time: TimeAmount, log: ConnectionLog) {
    self.time = time
    self.log = log
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let connection = NIOLoopBound(
      (channel: context.channel, deadline: self),
      eventLoop: context.eventLoop
    )
    deadline = context.eventLoop.scheduleTask(in: time) {
      let (channel, deadline) = connection.value
      deadline.log.say(
        deadline.isSecured
          ? "it opened no call in time" : "its TLS handshake was not done in time"
      )
      channel.close(promise: nil)
    }
  }

  /// A call was opened.
  func meet() {
    deadline?.cancel()
    deadline = nil
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent { isSecured = true }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    meet()
    context.fireChannelInactive()
  }

  /// Notes that a call was opened on a connection.
  ///
  /// - Parameter call: The call's channel.
  /// - Returns: When it is noted.
  static func noteCall(_ call: any Channel) -> EventLoopFuture<Void> {
    call.eventLoop.makeCompletedFuture {
      let pipeline = call.parent?.pipeline.syncOperations
      try? pipeline?.handler(type: OpeningDeadline.self).meet()
    }
  }
}
