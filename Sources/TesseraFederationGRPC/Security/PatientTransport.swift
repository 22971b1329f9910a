internal import GRPCCore
internal import Synchronization

/// A transport on which a call waits for a connection that is just being opened.
///
/// A busy machine can tell of a connection before it can be used, and of one that is lost after a call was given to it. Such a call has not
/// begun: nothing of it was sent, and it is made again, within a second.
struct PatientTransport<Base: ClientTransport>: ClientTransport {
  typealias Bytes = Base.Bytes

  private let base: Base

  /// How long is waited before a call is made again: ever longer, a second in all.
  static var pauses: [Duration] { (0..<8).map { .milliseconds(4 << $0) } }

  init(_ base: Base) { self.base = base }

  var retryThrottle: RetryThrottle? { base.retryThrottle }
  func connect() async throws { try await base.connect() }
  func beginGracefulShutdown() { base.beginGracefulShutdown() }
  func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? {
    base.config(forMethod: descriptor)
  }

  @concurrent func withStream<Value: Sendable>(
    descriptor: MethodDescriptor,
    options: CallOptions,
    _ closure:
      @concurrent (_ stream: RPCStream<Inbound, Outbound>, _ context: ClientContext) async throws ->
      Value
  ) async throws -> Value {
    let hasBegun = Atomic(false)
    for pause in Self.pauses {
      do {
        return try await base.withStream(descriptor: descriptor, options: options) {
          hasBegun.store(true, ordering: .relaxed)
          return try await closure($0, $1)
        }
      } catch let error as RPCError
        // What has a cause is known to be out of reach.
        where error.code == .unavailable && error.cause == nil
        && !hasBegun.load(ordering: .relaxed)
      {
        try await ContinuousClock().sleep(for: pause)
      }
    }
    return try await base.withStream(descriptor: descriptor, options: options, closure)
  }
}
