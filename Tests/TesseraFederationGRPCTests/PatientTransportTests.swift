import GRPCCore
import Synchronization
import Testing

@testable import TesseraFederationGRPC

/// Calls that a connection does not take, though it says that it is there.
@Suite(.timeLimit(.minutes(20))) struct PatientTransportTests {
  private struct NoRequests: ClosableRPCWriterProtocol {
    func write(_ element: RPCRequestPart<[UInt8]>) async throws {}
    func write(contentsOf elements: some Sequence<RPCRequestPart<[UInt8]>>) async throws {}
    func finish() async {}
    func finish(throwing error: any Error) async {}
  }

  /// Takes the call after so many tries.
  private final class Busy: ClientTransport {
    typealias Bytes = [UInt8]
    private let error: RPCError
    private let left: Mutex<Int>
    private let count = Mutex(0)

    init(_ tries: Int, _ error: RPCError) {
      left = Mutex(tries)
      self.error = error
    }

    var tries: Int { count.withLock { $0 } }
    let retryThrottle: RetryThrottle? = nil
    func connect() async throws {}
    func beginGracefulShutdown() {}
    func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? { nil }

    @concurrent func withStream<Value: Sendable>(
      descriptor: MethodDescriptor,
      options: CallOptions,
      _ closure:
        @concurrent (_ stream: RPCStream<Inbound, Outbound>, _ context: ClientContext) async throws
        ->
        Value
    ) async throws -> Value {
      count.withLock { $0 += 1 }
      let isOpen = left.withLock { left in
        left -= 1
        return left < 0
      }
      guard isOpen else { throw error }
      let (inbound, end) = AsyncThrowingStream<RPCResponsePart<[UInt8]>, any Error>.makeStream()
      end.finish()
      return try await closure(
        RPCStream(
          descriptor: descriptor,
          inbound: RPCAsyncSequence(wrapping: inbound),
          outbound: RPCWriter.Closable(wrapping: NoRequests())
        ),
        ClientContext(
          descriptor: descriptor,
          remotePeer: "in-process:1",
          localPeer: "in-process:2"
        )
      )
    }
  }

  private static let notReady = RPCError(code: .unavailable, message: "subchannel isn't ready")

  private func call(
    _ transport: Busy,
    _ body: @escaping @Sendable () async throws -> Int = { 7 }
  ) async throws -> Int {
    try await PatientTransport(transport).withStream(
      descriptor: MethodDescriptor(fullyQualifiedService: "jobs", method: "show"),
      options: .defaults
    ) { _, _ in try await body() }
  }

  @Test(arguments: [0, 1, 5]) func aCallThatHasNotBegunIsMadeAgain(tries: Int) async throws {
    let transport = Busy(tries, Self.notReady)
    #expect(try await call(transport) == 7)
    #expect(transport.tries == tries + 1)
  }

  @Test func notForEver() async throws {
    let transport = Busy(1000, Self.notReady)
    let error = await #expect(throws: RPCError.self) { try await call(transport) }
    #expect(error?.message == "subchannel isn't ready")
    #expect(transport.tries == 9)
  }

  /// A server that is not there is told of at once, and what was sent is not sent twice.
  @Test func allElseIsToldAtOnce() async throws {
    struct Refused: Error {}
    let gone = Busy(1, RPCError(code: .unavailable, message: "no connection", cause: Refused()))
    await #expect(throws: RPCError.self) { try await call(gone) }
    let refusing = Busy(1, RPCError(code: .permissionDenied, message: "no"))
    await #expect(throws: RPCError.self) { try await call(refusing) }
    let open = Busy(0, Self.notReady)
    await #expect(throws: RPCError.self) { try await call(open) { throw Self.notReady } }
    #expect([gone.tries, refusing.tries, open.tries] == [1, 1, 1])
  }

  @Test(arguments: [
    ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"),
    ("2001:db8:1:2:3:4:5:6", "20010db800010002/64"), ("2001:db8:1:2::1", "20010db800010002/64"),
    ("2001:db8:1:3::1", "20010db800010003/64"), ("fe80::1%eth0", "fe80000000000000/64"), ("", ""),
  ])
  func strangersAreToldApartByTheNetworkThatTheyHave(address: String, origin: String) {
    #expect(ConnectionPlaces.origin(of: address) == origin)
  }
}
