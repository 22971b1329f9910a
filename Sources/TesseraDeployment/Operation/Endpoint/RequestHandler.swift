internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Answers the one request of a connection.
///
/// It needs no thread of tasks: a program that is busy with all of them still says how it is.
final class RequestHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// What is sent.
  struct Answer: Sendable {
    var status: HTTPResponseStatus
    var type: String
    var body: String
    /// The methods that are allowed, if the request's is not.
    var allowed: String?
  }

  private enum State {
    case waiting
    /// An answer is being made; whether the client has said all it has to say.
    case answering(isInputClosed: Bool)
    /// It is sent; what still comes is read and dropped: to close with bytes unread would take the answer back.
    case answered
  }
  private var state = State.waiting
  private let answer: @Sendable (HTTPRequestHead) -> Answer

  /// - Parameter answer: Makes an answer; may take its time.
  init(answer: @escaping @Sendable (HTTPRequestHead) -> Answer) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(let request) = Self.unwrapInboundIn(data), case .waiting = state else {
      return
    }
    state = .answering(isInputClosed: false)
    let answer = answer
    NIOThreadPool.singleton.runIfActive(eventLoop: context.eventLoop) { answer(request) }
      .assumeIsolated()
      .whenComplete { result in
        switch result {
        case .success(let answer): self.send(answer, to: request, context)
        case .failure: context.close(promise: nil)
        }
      }
  }

  private func send(_ answer: Answer, to request: HTTPRequestHead, _ context: ChannelHandlerContext)
  {
    var headers = HTTPHeaders([
      ("content-type", answer.type), ("content-length", "\(answer.body.utf8.count)"),
      ("connection", "close"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff"),
    ])
    if let allowed = answer.allowed { headers.add(name: "allow", value: allowed) }
    let head = HTTPResponseHead(version: request.version, status: answer.status, headers: headers)
    context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      let body = context.channel.allocator.buffer(string: answer.body)
      context.write(Self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    }
    var isInputClosed = false
    if case .answering(true) = state { isInputClosed = true }
    state = .answered
    context.writeAndFlush(Self.wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { _ in
      context.close(mode: isInputClosed ? .all : .output, promise: nil)
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent {
      if case .answering = state {
        state = .answering(isInputClosed: true)
      } else {
        context.close(promise: nil)
      }
    }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // What goes wrong with a connection is the end of that connection.
    context.close(promise: nil)
  }
}
