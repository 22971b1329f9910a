internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
public import SystemPackage
public import TesseraDeployment
public import TesseraFederation
public import TesseraProvisioning

/// A server that sites connect to: the way from workflows to sites on other machines.
///
///     let server = try FederationServer(StartupKit(contentsOf: "kits/server"))
///     async let serving: Void = server.run()
///     let federation = Federation(
///       workflow: try FedAvg(rounds: 10), transport: server.transport(of: "job-1", to: sites), key: key)
public final class FederationServer: Sendable {
  private let socket: ListeningSocket
  private let configuration: HTTP2ServerTransport.Posix.Config
  private let desks: SiteDesks
  private let service: WorkService
  private let security: MutualTLS
  private let kit: StartupKit
  private let revocations: SharedRevocations
  private let spool: FilePath?
  private let observe: @Sendable (ServerConnectionEvent) -> Void

  /// How long who connects may take until a first call: nobody who is nobody holds a place for longer.
  private static let openingTime = Duration.seconds(20)

  /// How many connections a server takes, unless it is told: enough for 1,000 sites that come back at once, and for people.
  public static let usualConnections = 3000

  /// The system's folder for temporary files.
  public static var temporaryFolder: FilePath { FilePath(NSTemporaryDirectory()) }

  /// A server that does not listen yet.
  ///
  /// - Parameters:
  ///   - kit: The server's.
  ///   - host: The address to listen at; all of the machine's if `nil`.
  ///   - port: The port to listen at; the kit's if `nil`, any free one if 0.
  ///   - patience: After which time without a sign of life a connection is given up.
  ///   - limits: What answers may hold.
  ///   - connections: How many connections there may be: one for each site, and some for people. With one certificate there may be 8,
  ///     or 32 of a user.
  ///   - spool: The folder for temporary files that large models lie in, so that they need not be in memory; they are in memory if
  ///     `nil`.
  ///   - observe: Is told what happens to connections, from any thread.
  /// - Throws: ``ProvisioningError`` if the kit is not a server's, or cannot be used.
  public init(
    _ kit: StartupKit,
    host: String? = nil,
    port: Int? = nil,
    patience: Duration = .seconds(60),
    limits: ExchangeLimits = ExchangeLimits(),
    connections: Int = usualConnections,
    spool: FilePath? = temporaryFolder,
    observe: @escaping @Sendable (ServerConnectionEvent) -> Void = { _ in }
  ) throws {
    guard kit.participant.kind == .server else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(kit.folder) is the kit of a \(kit.participant.kind.rawValue), not of a server"
      )
    }
    let shared = SharedRevocations(kit) { observe(.unusableRevocations(reason: "\($0)")) }
    let security = try MutualTLS(kit, expecting: [.site, .user]) { shared.list }
    self.security = security
    self.kit = kit
    self.spool = spool
    self.observe = observe
    revocations = shared
    desks = SiteDesks(patience: patience)
    service = WorkService(
      desks: desks,
      security: security,
      limits: limits,
      spool: spool,
      observe: observe
    )
    let openingTime = Self.openingTime
    let places = ConnectionPlaces(limit: connections)
    socket = ListeningSocket(
      host: host ?? "0.0.0.0",
      port: port ?? kit.participant.port ?? Project.usualPort
    )
    configuration = .defaults {
      $0.http2.targetWindowSize = Wire.windowSize
      $0.http2.maxFrameSize = Wire.frameSize
      $0.rpc.maxRequestPayloadSize = Wire.messageLimit
      $0.connection.maxGraceTime = .milliseconds(500)
      $0.connection.keepalive.time = patience / 2
      $0.connection.keepalive.timeout = patience / 2
      $0.connection.keepalive.clientBehavior.allowWithoutCalls = true
      $0.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .zero
      $0.connection.maxIdleTime = patience
      // What one connection may make the server keep is so many messages at most.
      $0.http2.maxConcurrentStreams = Wire.streamLimit
      $0.channelDebuggingCallbacks.onAcceptHTTP2Stream = OpeningDeadline.noteCall
      $0.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
        security.secureServer(
          channel,
          patience: min(patience, openingTime),
          places: places
        ) { peer, reason in
          observe(.refused(peer: peer, reason: reason))
        }
      }
    }
  }

  /// Listens, until the task is cancelled.
  ///
  /// - Parameters:
  ///   - jobs: What users are answered from; they are not answered if `nil`.
  ///   - patience: For how long a port is waited for that another has: a server from which this one takes over may not be gone yet.
  ///   - operate: Does what users ask of the server itself.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if the port is taken, or the address is not the
  ///   machine's.
  public func run(
    administering jobs: JobService? = nil,
    waitingForPort patience: Duration = .zero,
    operate: @escaping @Sendable (SiteOperation) -> Void = { _ in }
  ) async throws {
    do {
      try await listen(jobs, patience, operate)
      socket.end(because: CancellationError())
    } catch {
      socket.end(because: error)
      throw error
    }
  }

  private func listen(
    _ jobs: JobService?,
    _ patience: Duration,
    _ operate: @escaping @Sendable (SiteOperation) -> Void
  ) async throws {
    var services: [any RegistrableRPCService] = [service, ClockService()]
    if let jobs {
      services.append(
        AdministrationService(jobs: jobs, security: security, observe: observe, operate: operate)
      )
    }
    let transport = HTTP2ServerTransport.Posix(
      listeningSocketDescriptor: try await socket.open(waitingForPort: patience) {
        observe(.portIsTaken($0))
      },
      transportSecurity: .plaintext,
      config: configuration
    )
    let server = GRPCServer(transport: transport, services: services)
    // Not a child of the current task: a server that is cancelled while a stream arrives drops the stream unfinished, which NIO
    // takes for an error of the program. It is told to end instead, and ends within the grace time.
    let serving = Task { try await server.serve() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await self.watchRevocations() }
      defer { group.cancelAll() }
      try await withTaskCancellationHandler {
        try await serving.value
      } onCancel: {
        desks.closeAll(because: "the server ends")
        socket.end(because: CancellationError())
        server.beginGracefulShutdown()
      }
    }
    try Task.checkCancellation()
  }

  /// Closes connections whose certificates are revoked while they are open.
  private func watchRevocations() async {
    guard let watch = FileWatch(folder: kit.revocationsFile.removingLastComponent()) else { return }
    var number = kit.revocations.number
    for await _ in watch.changes {
      let list = revocations.list
      guard list.number > number else { continue }
      number = list.number
      observe(.revocations(number: number))
      desks.close(revokedBy: list)
    }
  }

  /// The port that the server listens at, once it does.
  ///
  /// It throws what keeps the server from listening, and `CancellationError` once the server ends.
  public var port: Int { get async throws { try await socket.port } }

  /// Takes no more connections from now on, and leaves the port to who takes over; those that there are stay until the process ends.
  ///
  /// It waits for nothing: the first thing to do for a server that must not act any longer.
  public func stopListening() { socket.stop() }
}

extension FederationServer: SiteNetwork {
  /// The names of the sites that are connected.
  public var connectedSites: Set<String> { Set(desks.connected) }

  /// The way of a job to its sites.
  ///
  /// - Parameters:
  ///   - job: The job's id: a job that goes on after the server was killed has the same.
  ///   - sites: The sites, named as in their certificates.
  ///   - observer: Is told what travels.
  ///   - answers: How large answers may be; as large as the server's limits allow if `nil`.
  /// - Returns: The transport.
  public func transport(
    of job: String,
    to sites: [Site],
    observer: (any TransferObserver)? = nil,
    answers: AnswerLimit? = nil
  ) -> any Transport {
    NetworkTransport(
      job: job,
      sites: sites,
      desks: desks,
      spool: spool,
      observer: observer,
      answers: answers
    )
  }

  /// Tells the sites that a job is over: those that are there, and the others when they come.
  public func end(_ job: String, at sites: [String], isAborted: Bool) {
    for site in sites { desks[site].handle(.ended(job: job, isAborted: isAborted)) }
  }

  /// Ends a site's connection; the tasks that it has have failed.
  public func remove(_ site: String, because reason: String) {
    desks[site].handle(.removed(reason: reason))
  }

  /// Calls somebody when a site that comes tells which jobs it keeps something of.
  public func whenSitesHold(
    _ observer: @escaping @Sendable (_ site: String, _ jobs: [String]) -> Void
  ) {
    desks.whenSitesHold(observer)
  }

  /// Calls somebody whenever a site comes or goes.
  public func whenSitesChange(_ observer: @escaping @Sendable () -> Void) {
    desks.whenSitesChange(observer)
  }
}
