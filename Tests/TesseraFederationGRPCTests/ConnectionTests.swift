import Foundation
import NIOCore
import NIOPosix
import SystemPackage
import TesseraCore
import TesseraDeployment
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning
import Testing

/// Connections that break, are taken over, are refused or are ended.
@Suite(.timeLimit(.minutes(20))) struct ConnectionTests {
  /// A server's events, one after the other.
  private func events() -> (
    AsyncStream<ServerConnectionEvent>, @Sendable (ServerConnectionEvent) -> Void
  ) {
    let (events, event) = AsyncStream<ServerConnectionEvent>.makeStream()
    return (events, { event.yield($0) })
  }

  /// Waits for an event that fits.
  private func first<Found>(
    of events: AsyncStream<ServerConnectionEvent>,
    _ fits: (ServerConnectionEvent) -> Found?
  ) async throws -> Found {
    for await event in events { if let found = fits(event) { return found } }
    throw CancellationError()
  }

  @Test func aCertificateThatIsRevokedEndsTheConnectionThatIsOpen() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let (events, observe) = events()
    let server = try loopback.server(observe: observe)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let site = try loopback.site("site-1", port: try await server.port, Drawing())
      group.addTask { try await site.run() }
      try await first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
      var authority = try AuthorityFolder(contentsOf: loopback.folder)
      try authority.revoke("site-1", because: "it was stolen")
      let reason = try await first(of: events) {
        if case .disconnected("site-1", let reason) = $0 { reason } else { nil }
      }
      #expect(reason.contains("it was stolen"))
      // It tries again, and is not let in.
      let refusal = try await first(of: events) {
        if case .refused(_, let reason) = $0 { reason } else { nil }
      }
      #expect(refusal.contains("revoked"))
      #expect(server.connectedSites.isEmpty)
      group.cancelAll()
    }
  }

  @Test func theLaterOfTwoConnectionsWithOneCertificateWinsAndTheEarlierIsTold() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let (events, observe) = events()
    let server = try loopback.server(observe: observe)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let earlier = try loopback.site("site-1", port: port, Drawing())
      let later = try loopback.site("site-1", port: port, Drawing())
      async let told: Void = earlier.run()
      try await first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
      group.addTask { try await later.run() }
      do {
        try await told
        Issue.record("the earlier went on")
      } catch let error as FederationError {
        #expect(error.message.contains("another connection"))
      }
      #expect(server.connectedSites == ["site-1"])
      group.cancelAll()
    }
  }

  @Test func aServerHasRoomForSoManyConnectionsAndNoMore() async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let (events, observe) = events()
    let server = try FederationServer(
      loopback.kit("server"),
      host: "127.0.0.1",
      port: 0,
      connections: 1,
      observe: observe
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let first = try loopback.site("site-1", port: port, Drawing())
      let second = try loopback.site("site-2", port: port, Drawing())
      try await withThrowingTaskGroup(of: Void.self) { sites in
        sites.addTask { try await first.run() }
        try await self.first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
        group.addTask { try await second.run() }
        let refusal = try await self.first(of: events) {
          if case .refused(_, let reason) = $0 { reason } else { nil }
        }
        #expect(refusal.hasPrefix("there are 1 connections, which is the limit"))
        #expect(server.connectedSites == ["site-1"])
        sites.cancelAll()
      }
      // It has kept trying, and there is room now.
      try await self.first(of: events) { $0.isConnection(of: "site-2") ? () : nil }
      group.cancelAll()
    }
  }

  /// On one machine a server has the lease before the process that had it is gone.
  @Test func aServerThatTakesOverWaitsForThePort() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let (events, observe) = events()
    let first = try loopback.server()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await first.run() }
      let port = try await first.port
      let impatient = try loopback.server(port: port)
      let error = await #expect(throws: DeploymentError.self) { try await impatient.run() }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("cannot listen at 127.0.0.1, port \(port)") == true)
      await #expect(throws: DeploymentError.self) { try await impatient.port }
      let next = try loopback.server(port: port, observe: observe)
      group.addTask { try await next.run(waitingForPort: .seconds(300)) }
      try await self.first(of: events) { $0 == .portIsTaken(port) ? () : nil }
      first.stopListening()
      #expect(try await next.port == port)
      let site = try loopback.site("site-1", port: port, Drawing())
      group.addTask { try await site.run() }
      try await self.first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
      #expect(first.connectedSites == [])
      group.cancelAll()
    }
  }

  @Test func strangersOfOneAddressLeaveRoomForOthers() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let (events, observe) = events()
    let server = try FederationServer(
      loopback.kit("server"),
      host: "127.0.0.1",
      port: 0,
      connections: 16,
      observe: observe
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      // Half of the places can be theirs; who comes then from an address that has an eighth is sent away. All at once: who has shown
      // nothing for a while is sent away for that.
      let strangers = try await withThrowingTaskGroup(of: (any Channel).self) { strangers in
        for _ in 0..<12 {
          strangers.addTask {
            try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
              .connect(host: "127.0.0.1", port: port).get()
          }
        }
        return try await strangers.reduce(into: []) { $0.append($1) }
      }
      try await first(of: events) { event -> Void? in
        guard case .refused(_, let reason) = event else { return nil }
        return reason.contains("too many from this address without a certificate") ? () : nil
      }
      for stranger in strangers { try? await stranger.close() }
      let site = try loopback.site("site-1", port: port, Drawing())
      group.addTask { try await site.run() }
      try await first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
      group.cancelAll()
    }
  }

  @Test func oneCertificateHasFewConnections() async throws {
    let loopback = try LoopbackFederation(sites: 2)
    let (events, observe) = events()
    let server = try loopback.server(observe: observe)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let client = try RawClient(loopback.kit("site-1"), port: port)
      // Each says nothing, and holds its place.
      for _ in 0..<9 {
        group.addTask {
          try await client.connect().executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: []))
            for try await _ in inbound {}
          }
        }
      }
      let refusal = try await first(of: events) {
        if case .refused(_, let reason) = $0 { reason } else { nil }
      }
      #expect(refusal.contains("site-1 has 8 connections, which is the limit for one certificate"))
      // Others have places of their own.
      let other = try loopback.site("site-2", port: port, Drawing())
      group.addTask { try await other.run() }
      try await first(of: events) { $0.isConnection(of: "site-2") ? () : nil }
      group.cancelAll()
    }
  }

  @Test func aSiteTriesTheNextAddressOfItsServer() async throws {
    let loopback = try LoopbackFederation(sites: 1, addresses: ["127.0.0.2", "127.0.0.1"])
    let (events, observe) = events()
    let server = try loopback.server(observe: observe)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let site = try FederationSite(
        try loopback.kit("site-1"),
        port: try await server.port
      ) { _ in SiteWorker(executor: Drawing()) }
      group.addTask { try await site.run() }
      try await first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
      group.cancelAll()
    }
  }

  @Test func aServerThatComesBackHasItsSitesAgain() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let (events, observe) = events()
    let server = try loopback.server(observe: observe)
    try await withThrowingTaskGroup(of: Void.self) { sites in
      let port = try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        let port = try await server.port
        let site = try loopback.site("site-1", port: port, Drawing())
        sites.addTask { try await site.run() }
        try await first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
        group.cancelAll()
        return port
      }
      // Some time without one.
      try await Task.sleep(for: .milliseconds(1500))
      let (later, observe) = self.events()
      let next = try loopback.server(port: port, observe: observe)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await next.run() }
        try await first(of: later) { $0.isConnection(of: "site-1") ? () : nil }
        group.cancelAll()
      }
      sites.cancelAll()
    }
  }

  @Test func aListOfRevocationsThatWasAlteredIsNotUsed() async throws {
    let loopback = try LoopbackFederation(sites: 1)
    let (events, observe) = events()
    let server = try loopback.server(observe: observe)
    let kit = try loopback.kit("server")
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try await server.port
      let list = kit.revocationsFile.string
      let text = try String(contentsOfFile: list, encoding: .utf8)
      try (text + " ").write(toFile: list, atomically: true, encoding: .utf8)
      let site = try loopback.site("site-1", port: port, Drawing())
      group.addTask { try await site.run() }
      let reason = try await first(of: events) {
        if case .unusableRevocations(let reason) = $0 { reason } else { nil }
      }
      #expect(reason.contains("revoked.json"))
      try await first(of: events) { $0.isConnection(of: "site-1") ? () : nil }
      group.cancelAll()
    }
  }
}

extension ServerConnectionEvent {
  fileprivate func isConnection(of site: String) -> Bool {
    guard case .connected(site, "127.0.0.1", let serial) = self else { return false }
    return !serial.isEmpty
  }
}
