internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import NIOCore
internal import Synchronization
public import SystemPackage
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
  private let servers: [ServerTarget]
  private let patience: Duration
  private let limits: ExchangeLimits
  private let spool: FilePath?
  private let lanes: LanePool
  private let handler: any SiteTaskHandler

  /// A site that is not connected yet.
  ///
  /// - Parameters:
  ///   - kit: The site's.
  ///   - host: The server's address; those of the kit, one after the other, if `nil`.
  ///   - port: The server's port; the kit's if `nil`.
  ///   - patience: After which time without a sign of life the server is given up.
  ///   - lanes: How many threads compute.
  ///   - limits: What tasks may hold: one, and all together that are not done.
  ///   - spool: The folder for temporary files that large tasks lie in, so that they need not be in memory; they are in memory if
  ///     `nil`.
  ///   - handler: Carries out the tasks.
  /// - Throws: ``ProvisioningError`` if the kit is not a site's, or cannot be used.
  public init(
    _ kit: StartupKit,
    host: String? = nil,
    port: Int? = nil,
    patience: Duration = .seconds(60),
    lanes: Int = 1,
    limits: ExchangeLimits = ExchangeLimits(),
    spool: FilePath? = nil,
    handler: any SiteTaskHandler
  ) throws {
    let servers = ServerTarget.all(of: kit, host: host, port: port)
    guard kit.participant.kind == .site, !servers.isEmpty else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(kit.folder) is the kit of a \(kit.participant.kind.rawValue), not of a site"
      )
    }
    self.kit = kit
    let revocations = SharedRevocations(kit)
    security = try MutualTLS(kit, expecting: [.server]) { revocations.list }
    self.servers = servers
    self.patience = patience
    self.limits = limits
    self.spool = spool
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
  /// - Throws: `CancellationError` when the task is cancelled; ``FederationError`` with code
  ///   ``FederationError/Code/protocolViolation`` if another process attends with the same certificate.
  public func run(observe: @escaping @Sendable (ConnectionEvent) -> Void = { _ in }) async throws {
    let work = SiteWork(lanes: lanes, largestContent: limits.bytes, handler: handler)
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
    var (target, pause) = (0, Self.shortestPause)
    while !Task.isCancelled {
      let held = Mutex(false)
      let start = ContinuousClock.now
      do {
        try await attend(servers[target], work) {
          if $0 == .connected { held.withLock { $0 = true } }
          observe($0)
        }
        observe(.disconnected(reason: "the server closed the connection"))
      } catch {
        if Task.isCancelled { return }
        let reason = Self.reason(of: error)
        observe(.disconnected(reason: reason))
        if let error = error as? RPCError, error.code == .aborted {
          // Two that take the connection from each other would both get nothing done.
          throw FederationError(code: .protocolViolation, message: reason)
        }
      }
      // Who was taken in has found the server: it is tried again first.
      if held.withLock({ $0 }) {
        // Whoever takes it in only to send it away fills the logs of both the faster, the faster it comes back.
        let hasLasted = ContinuousClock.now - start >= Self.longestPause
        pause = hasLasted ? Self.shortestPause : min(pause * 2, Self.longestPause)
        try await ContinuousClock().sleep(for: pause)
        continue
      }
      target = (target + 1) % servers.count
      // All addresses first.
      guard target == 0 else { continue }
      try await ContinuousClock().sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, Self.longestPause)
    }
  }

  private static let shortestPause = Duration.milliseconds(10)
  private static let longestPause = Duration.seconds(1)

  private static func reason(of error: any Error) -> String {
    guard let error = error as? RPCError else { return "\(error)" }
    return error.cause.map { "\(error.message) (\($0))" } ?? error.message
  }

  /// One connection, from its beginning to its end.
  private func attend(
    _ server: ServerTarget,
    _ work: SiteWork,
    _ observe: @escaping @Sendable (ConnectionEvent) -> Void
  ) async throws {
    let transport = try HTTP2ClientTransport.Posix.secured(
      by: security,
      host: server.host,
      port: server.port,
      patience: patience
    )
    try await withGRPCClient(transport: transport) { client in
      let connection = SiteConnection(client: client, work: work, limits: limits, spool: spool)
      try await connection.run { difference in
        observe(.connected)
        if let difference { observe(.clock(difference: difference)) }
      }
    }
  }
}

/// What happens to a site's connection.
public enum ConnectionEvent: Sendable, Hashable {
  /// The server has taken the site in.
  case connected
  /// By how many seconds the site's clock is ahead of the server's; less than 0 if it is behind.
  case clock(difference: Double)
  /// The connection is over, or there was none; the site tries again.
  case disconnected(reason: String)
}
