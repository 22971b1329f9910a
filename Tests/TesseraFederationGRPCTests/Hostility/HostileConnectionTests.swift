import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOPosix
import NIOSSL
import SwiftProtobuf
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraProvisioning
import Testing

@testable import TesseraFederationGRPC

/// Bytes that no site would send, over TLS with a good certificate, and certificates that are none.
///
/// `TESSERA_HOSTILE_CONNECTIONS` says how many connections, of forty frames each, there are.
@Suite(.serialized, .timeLimit(.minutes(20))) struct HostileConnectionTests {
  private static var connections: Int {
    ProcessInfo.processInfo.environment["TESSERA_HOSTILE_CONNECTIONS"].flatMap { Int($0) } ?? 100
  }

  /// What happened, to be looked at afterwards.
  private final class Log: Sendable {
    private let (events, event) = AsyncStream<ServerConnectionEvent>.makeStream()
    func note(_ new: ServerConnectionEvent) { event.yield(new) }

    /// The reason of the next refusal.
    func refusal() async -> String? {
      for await case .refused(_, let reason) in events { return reason }
      return nil
    }
  }

  private func memory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return try #require(
      line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    )
  }

  /// The bits of a round at one site are those that a simulation has: the server still does what it should.
  private func expectHonestRound(_ server: FederationServer, _ site: Site, job: String) async throws
  {
    let start = try ModelState([(name: "weight", tensor: Tensor.full(0.5, shape: [300]))])
    func run(_ transport: any Transport) async throws -> ModelState {
      let federation = Federation(
        workflow: try FedAvg(rounds: 1),
        transport: transport,
        key: RandomKey(seed: 7)
      )
      return try await federation.run(from: WorkflowState(model: start)).state.model
    }
    let simulated = InProcessTransport(
      sites: [site],
      executor: Drawing(),
      pool: LanePool(lanes: 1)
    )
    let model = try await run(server.transport(of: job, to: [site]))
    let expected = try await run(simulated)
    #expect(try model.isIdentical(to: expected))
  }

  /// Frames that a site would send.
  private func goodFrames() throws -> [[UInt8]] {
    func bytes(_ message: some SwiftProtobuf.Message) throws -> [UInt8] {
      try message.serializedBytes()
    }
    let id = TaskID(job: "job", step: 1)
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([300]))])
    let parcel = try OutgoingParcel(.weights(model))
    let chunk: [UInt8] = try ChunkSerializer().serialize(
      OutgoingChunk(id: id, index: 0, parcel: parcel)
    )
    return [
      Frames.settings, Frames.ping, Frames.headers(Frames.attend, stream: 1),
      Frames.message(try bytes(SiteMessage.greeting(open: [id], jobs: []).proto()), stream: 1),
      Frames.message(try bytes(SiteMessage.progress(id).proto()), stream: 1),
      Frames.message(try bytes(SiteMessage.announcement(id, parcel)), stream: 1),
      Frames.headers(Frames.deliver, stream: 3), Frames.message(chunk, stream: 3),
      Frames.headers(Frames.fetch, stream: 5),
      Frames.message(
        try bytes(
          Tessera_Federation_V1_FetchRequest.with {
            $0.id = id.proto
            $0.chunks = [0, 1]
          }
        ),
        stream: 5
      ),
      // RST_STREAM, GOAWAY, WINDOW_UPDATE, PRIORITY, CONTINUATION.
      Frames.frame(3, stream: 3, [0, 0, 0, 8]),
      Frames.frame(7, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]),
      Frames.frame(8, stream: 0, [0, 1, 0, 0]), Frames.frame(2, stream: 5, [0, 0, 0, 0, 16]),
      Frames.frame(9, flags: 4, stream: 5, [0x82]),
    ]
  }

  @Test func damagedFramesToAServerChangeNothing() async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let server = try loopback.server()
    let good = try goodFrames()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let honest = try loopback.site("site-1", port: port, Drawing())
      group.addTask { try await honest.run() }
      let hostile = try RawClient(try loopback.kit("site-2"), port: port)
      var mutator = Mutator(seed: 31)
      var before = 0
      for number in 0..<Self.connections {
        // What the allocator keeps for later is there by then.
        if number == Self.connections / 2 { before = try memory() }
        var bytes = Frames.preface + Frames.settings
        if number.isMultiple(of: 2) { bytes += good[2] + good[3] }
        for _ in 0..<40 {
          guard let frame = mutator.element(of: good) else { continue }
          // Every other frame is what it was, so that those after it are looked at.
          bytes +=
            mutator.element(of: [true, false]) == true
            ? frame : mutator.damaged(frame, mixedWith: good)
        }
        // The server may close before it has all.
        try? await hostile.send(bytes)
      }
      let growth = try memory() - before
      #expect(growth < 64 << 10, "grew by \(growth) kB")
      try await expectHonestRound(server, loopback.sites[0], job: "after")
      group.cancelAll()
    }
  }

  /// A server that sends rubbish is left, and tried again: what it says changes nothing at the site.
  @Test func damagedFramesToASiteChangeNothing() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let kit = try loopback.kit("server")
    func bytes(_ message: some SwiftProtobuf.Message) throws -> [UInt8] {
      try message.serializedBytes()
    }
    let id = TaskID(job: "job", step: 1)
    let messages = try [
      ServerMessage.welcome(patience: .seconds(9)), .receipt(id), .wanted(id, [0]),
      .withdrawal(id, reason: "no"), .farewell(job: "job", isAborted: false),
    ].map { Frames.message(try bytes($0.proto()), stream: 1) }
    let good =
      [Frames.settings, Frames.ping, Frames.frame(4, flags: 1, stream: 0, [])] + messages
      + [Frames.frame(3, stream: 1, [0, 0, 0, 8]), Frames.frame(8, stream: 0, [0, 1, 0, 0])]
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMFile(kit.certificateFile.string)
        .map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(file: kit.keyFile.string, format: .pem))
    )
    configuration.applicationProtocols = ["h2"]
    let context = try NIOSSLContext(configuration: configuration)
    var mutator = Mutator(seed: 37)
    let answers: [[UInt8]] = (0..<10).map { _ in
      var bytes = Frames.settings + Frames.response(stream: 1) + messages[0]
      for _ in 0..<40 {
        guard let frame = mutator.element(of: good) else { continue }
        bytes +=
          mutator.element(of: [true, false]) == true
          ? frame : mutator.damaged(frame, mixedWith: good)
      }
      return bytes
    }
    let (served, service) = AsyncStream<Void>.makeStream()
    let given = Mutex(answers)
    let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let rubbish = Rubbish(given.withLock { $0.popLast() } ?? []) { service.yield() }
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandlers([NIOSSLServerHandler(context: context), rubbish])
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(listener.localAddress?.port)
    try await withThrowingTaskGroup(of: Void.self) { group in
      let site = try loopback.site("site-1", port: port, Drawing())
      group.addTask { try await site.run() }
      var count = 0
      for await _ in served {
        count += 1
        if count == answers.count { break }
      }
      try await listener.close()
      let server = try loopback.server(port: port)
      group.addTask { try await server.run() }
      try await expectHonestRound(server, loopback.sites[0], job: "after")
      group.cancelAll()
    }
  }

  /// Answers the first that comes with bytes that were made before, and closes.
  private final class Rubbish: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var bytes: [UInt8]?
    private let done: @Sendable () -> Void

    init(_ bytes: [UInt8], done: @escaping @Sendable () -> Void) {
      self.bytes = bytes
      self.done = done
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard let bytes else { return }
      self.bytes = nil
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
      context.close(promise: nil)
      done()
    }
  }

  @Test func aMessageThatIsTooLargeIsRefusedBeforeItHasCome() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let server = try loopback.server()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let client = try RawClient(try loopback.kit("site-1"), port: try await server.port)
      let start = try memory()
      for announced in [UInt32(Wire.messageLimit + 1), 0x7fff_ffff, 0xffff_ffff] {
        let bytes =
          Frames.preface + Frames.settings + Frames.headers(Frames.attend, stream: 1)
          + Frames.message([UInt8](repeating: 7, count: 9000), stream: 1, announced: announced)
          // A connection error afterwards, so that the server closes.
          + Frames.frame(0, stream: 0, [1])
        let answer = try await client.answer(to: bytes)
        // RST_STREAM or trailers with a status.
        #expect(!answer.isEmpty)
      }
      #expect(try memory() - start < 64 << 10)
      group.cancelAll()
    }
  }

  @Test func whoNeverFinishesTheHandshakeIsDisconnected() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let log = Log()
    let server = try loopback.server(patience: .milliseconds(500)) { log.note($0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let start = ContinuousClock.now
      // The beginning of a handshake, byte for byte, and never its end.
      try await RawClient(nil, port: port).connect().executeThenClose { inbound, outbound in
        for byte: UInt8 in [0x16, 0x03, 0x01, 0x02, 0x00, 0x01] {
          try? await outbound.write(ByteBuffer(bytes: [byte]))
          try await Task.sleep(for: .milliseconds(50))
        }
        for try await _ in inbound {}
      }
      #expect(ContinuousClock.now - start < .seconds(10))
      #expect(await log.refusal()?.contains("handshake") == true)
      group.cancelAll()
    }
  }

  @Test func whoSaysNothingAfterTheHandshakeIsDisconnected() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let log = Log()
    let server = try loopback.server(patience: .milliseconds(500)) { log.note($0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let client = try RawClient(try loopback.kit("site-1"), port: try await server.port)
      let start = ContinuousClock.now
      for bytes in [[], Array(Frames.preface.prefix(5)), Frames.preface + Frames.settings] {
        _ = try? await client.answer(to: bytes)
        #expect(await log.refusal()?.contains("no call") == true)
      }
      #expect(ContinuousClock.now - start < .seconds(20))
      group.cancelAll()
    }
  }

  /// Attends with a participant's certificate, and says what comes of it.
  private func attend(
    with kit: StartupKit,
    port: Int,
    version: String = Wire.version
  ) async throws -> RPCError? {
    let security = try MutualTLS(kit, expecting: [.server]) { kit.revocations }
    let transport = try HTTP2ClientTransport.Posix.secured(
      by: security,
      host: "127.0.0.1",
      port: port
    )
    do {
      return try await withGRPCClient(transport: transport) { client in
        var options = CallOptions.defaults
        options.waitForReady = false
        try await Tessera_Federation_V1_Work.Client(wrapping: client).attend(
          options: options,
          requestProducer: {
            var greeting = try SiteMessage.greeting(open: [], jobs: []).proto()
            greeting.greeting.version = version
            greeting.greeting.program = "0.0.1"
            try await $0.write(greeting)
          },
          onResponse: { for try await _ in $0.messages {} }
        )
        return nil
      }
    } catch let error as RPCError {
      return error
    }
  }

  @Test(arguments: [("0", "site"), ("", "site"), ("999", "server")])
  func whoSpeaksAnotherVersionIsToldWhichSideIsOlder(version: String, older: String) async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let server = try loopback.server()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let error = try await attend(
        with: try loopback.kit("site-1"),
        port: port,
        version: version
      )
      #expect(error?.message.contains("the \(older) has the older program") == true)
      #expect(error?.message.contains("Tessera 0.0.1") == true)
      #expect(server.connectedSites.isEmpty)
      group.cancelAll()
    }
    // What a server of another version answers, a site refuses as well.
    var welcome = try ServerMessage.welcome(patience: .seconds(1)).proto()
    welcome.welcome.version = "999"
    let error = #expect(throws: FederationError.self) {
      try ServerMessage(welcome, limits: ExchangeLimits())
    }
    #expect(error?.message.contains("the site has the older program") == true)
  }

  @Test func onlySitesAttendAndNobodyWithAnothersRole() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let foreign = try LoopbackFederation(sites: 1)
    let log = Log()
    let server = try loopback.server { log.note($0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let user = try await attend(with: try loopback.kit("ada"), port: port)
      #expect(user?.code == .permissionDenied)
      #expect(await log.refusal()?.contains("ada is a user") == true)
      let other = try await attend(with: try loopback.kit("server"), port: port)
      #expect(other != nil)
      #expect(await log.refusal()?.contains("server is a server") == true)
      let stranger = try await attend(with: try foreign.kit("site-1"), port: port)
      #expect(stranger != nil)
      #expect(server.connectedSites.isEmpty)
      group.cancelAll()
    }
  }

  @Test func certificatesThatAreOverOrRevokedAreRefused() async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let old = Date(timeIntervalSinceNow: -3 * 365 * 86_400)
    let expired = try LoopbackFederation(sites: 1, at: old)
    var authority = try AuthorityFolder(contentsOf: expired.folder)
    _ = try authority.renew("server")
    let log = Log()
    let late = try expired.server { log.note($0) }
    var current = try AuthorityFolder(contentsOf: loopback.folder)
    let kept = try loopback.kit("site-2")
    try current.revoke("site-2", because: "lost")
    let server = try loopback.server { log.note($0) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await late.run() }
      group.addTask { try await server.run() }
      let ended = try StartupKit(
        contentsOf: expired.folder.appending("kits").appending("site-1"),
        at: old
      )
      #expect(try await attend(with: ended, port: try await late.port) != nil)
      #expect(await log.refusal()?.contains("site-1 ended") == true)
      #expect(try await attend(with: kept, port: try await server.port) != nil)
      #expect(await log.refusal()?.contains("was revoked") == true)
      #expect(late.connectedSites.isEmpty && server.connectedSites.isEmpty)
      group.cancelAll()
    }
  }
}
