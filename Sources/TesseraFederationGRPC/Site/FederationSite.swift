internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore
public import TesseraFederation
public import TesseraProvisioning

/// A site that opens one connection to its federation's server, and works at what it is given.
///
///     let site = try FederationSite(StartupKit(contentsOf: "kits/north")) { job in worker }
///     try await site.run()
///
/// When the connection breaks, it goes on with its work, connects again, and sends what is missing.
public struct FederationSite: Sendable {
  private let kit: StartupKit
  private let security: MutualTLS
  private let server: Server
  private let limits: ExchangeLimits
  private let lanes: LanePool
  private let handler: any SiteTaskHandler

  private struct Server: Sendable {
    var host: String
    var port: Int
  }

  /// A site that is not connected yet.
  ///
  /// - Parameters:
  ///   - kit: The site's.
  ///   - host: The server's address; the kit's if `nil`.
  ///   - port: The server's port; the kit's if `nil`.
  ///   - lanes: How many threads compute.
  ///   - limits: What tasks may hold.
  ///   - handler: Carries out the tasks.
  /// - Throws: ``ProvisioningError`` if the kit is not a site's, or cannot be used.
  public init(
    _ kit: StartupKit,
    host: String? = nil,
    port: Int? = nil,
    lanes: Int = 1,
    limits: ExchangeLimits = ExchangeLimits(),
    handler: any SiteTaskHandler
  ) throws {
    guard kit.participant.kind == .site, let server = kit.participants.servers.first else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(kit.folder) is the kit of a \(kit.participant.kind.rawValue), not of a site"
      )
    }
    self.kit = kit
    let revocations = SharedRevocations(kit.revocations)
    security = try MutualTLS(kit, expecting: [.server]) { revocations.list }
    self.server = Server(
      host: host ?? server.addresses[0],
      port: port ?? server.port ?? Project.usualPort
    )
    self.limits = limits
    self.lanes = LanePool(lanes: lanes)
    self.handler = handler
  }

  /// A site with a worker for each job.
  ///
  /// - Parameters:
  ///   - kit: The site's.
  ///   - host: The server's address; the kit's if `nil`.
  ///   - port: The server's port; the kit's if `nil`.
  ///   - worker: Makes what works at a job's tasks.
  /// - Throws: ``ProvisioningError`` if the kit is not a site's, or cannot be used.
  public init(
    _ kit: StartupKit,
    host: String? = nil,
    port: Int? = nil,
    worker: @escaping @Sendable (_ job: String) async throws -> SiteWorker
  ) throws {
    try self.init(kit, host: host, port: port, handler: WorkerForEachJob(worker))
  }

  /// Works, until the task is cancelled.
  ///
  /// - Parameter observe: Is told what happens to the connection.
  /// - Throws: `CancellationError` when the task is cancelled.
  public func run(observe: @escaping @Sendable (ConnectionEvent) -> Void = { _ in }) async throws {
    let work = SiteWork(lanes: lanes, handler: handler)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await work.run() }
      group.addTask { try await connect(work, observe) }
      defer { group.cancelAll() }
      try await group.next()
    }
    throw CancellationError()
  }

  private func connect(
    _ work: SiteWork,
    _ observe: @escaping @Sendable (ConnectionEvent) -> Void
  ) async throws {
    var pause = Duration.milliseconds(100)
    while !Task.isCancelled {
      let start = ContinuousClock.now
      do {
        try await attend(work, observe)
        observe(.disconnected(reason: "the server closed the connection"))
      } catch {
        if Task.isCancelled { return }
        observe(.disconnected(reason: Self.reason(of: error)))
      }
      // A connection that held is no sign of trouble.
      if ContinuousClock.now - start > .seconds(10) { pause = .milliseconds(100) }
      try await ContinuousClock().sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, .seconds(5))
    }
  }

  private static func reason(of error: any Error) -> String {
    guard let error = error as? RPCError else { return "\(error)" }
    return error.cause.map { "\(error.message) (\($0))" } ?? error.message
  }

  /// One connection, from its beginning to its end.
  private func attend(
    _ work: SiteWork,
    _ observe: @escaping @Sendable (ConnectionEvent) -> Void
  ) async throws {
    let transport = try HTTP2ClientTransport.Posix.secured(
      by: security,
      host: server.host,
      port: server.port
    )
    try await withGRPCClient(transport: transport) { client in
      try await SiteConnection(
        client: Tessera_Federation_V1_Work.Client(wrapping: client),
        work: work,
        limits: limits
      ).run { observe(.connected) }
    }
  }
}

/// What happens to a site's connection.
public enum ConnectionEvent: Sendable, Hashable {
  /// The server has taken the site in.
  case connected
  /// The connection is over, or there was none; the site tries again.
  case disconnected(reason: String)
}
