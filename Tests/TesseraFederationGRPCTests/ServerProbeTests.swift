import Foundation
import TesseraDeployment
import TesseraFederationGRPC
import TesseraProvisioning
import TesseraTesting
import Testing

@Suite struct ServerProbeTests {
  /// Runs a server of a federation while `body` does.
  private func serving(
    _ federation: LoopbackFederation,
    _ body: @escaping @Sendable (_ port: Int) async throws -> Void
  ) async throws {
    let server = try federation.server()
    try await withThrowingTaskGroup { group in
      group.addTask { try await server.run() }
      group.addTask { try await body(server.port) }
      try await group.next()
      group.cancelAll()
    }
  }

  @Test func aServerTakesThoseOfItsFederationInAndNobodyElse() async throws {
    let federation = try LoopbackFederation(sites: 2)
    let foreign = try LoopbackFederation(sites: 1)
    var authority = try AuthorityFolder(contentsOf: federation.folder)
    let revoked = try federation.kit("site-2")
    try authority.revoke("site-2", because: "lost")
    try await serving(federation) { port in
      func probe(_ kit: StartupKit) async throws -> ServerContact {
        try await ServerProbe(kit, patience: .seconds(60)).contact(host: "127.0.0.1", port: port)
      }
      for name in ["site-1", "ada"] {
        var contact = try await probe(federation.kit(name))
        // On a machine that is busy enough the server gives up a connection before the clock is asked for.
        for _ in 0..<10 {
          guard case .welcomed(_, _, nil) = contact else { break }
          contact = try await probe(federation.kit(name))
        }
        let server = try federation.kit("server")
        guard case .welcomed("server", server.expires, let difference?) = contact else {
          Issue.record("\(contact)")
          continue
        }
        // It is the same clock; how exactly that is seen depends on how busy the machine is.
        #expect(abs(difference) < 30)
      }
      // The server is not one that a server connects to, and says who it is all the same.
      for kit in [revoked, try federation.kit("server")] {
        guard case .refused("server", _) = try await probe(kit) else {
          Issue.record("\(kit.participant.name) was taken in")
          continue
        }
      }
      guard case .untrusted(let reason) = try await probe(foreign.kit("site-1")) else {
        Issue.record("a server of another authority was trusted")
        return
      }
      #expect(reason.contains("not signed by this federation's authority"))
    }
  }

  @Test func whatIsNoServerIsSaidToBeNone() async throws {
    let federation = try LoopbackFederation(sites: 1)
    let probe = try ServerProbe(federation.kit("site-1"), patience: .milliseconds(300))
    let other = OperationsEndpoint(port: 0, name: "other", metrics: MetricsRegistry())
    let (ports, port) = AsyncStream<Int>.makeStream()
    await withTaskGroup { group in
      group.addTask { try? await other.run { port.yield($0) } }
      for await port in ports {
        guard case .withoutTLS = await probe.contact(host: "127.0.0.1", port: port) else {
          Issue.record("a server of HTTP was taken for one of TLS")
          break
        }
        break
      }
      group.cancelAll()
    }
    // The port was free a moment ago, and a reserved address has nobody.
    #expect(await probe.contact(host: "127.0.0.1", port: 1) == .notListening)
    guard case .unreachable = await probe.contact(host: "no-such-host.invalid", port: 1) else {
      Issue.record("a name without an address was reached")
      return
    }
  }
}
