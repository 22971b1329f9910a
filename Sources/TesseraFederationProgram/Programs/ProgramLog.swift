internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Synchronization
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning
internal import X509

/// What a long-running program tells of itself, and where.
struct ProgramOptions: ParsableArguments {
  /// From which level on messages are written.
  enum Level: String, ExpressibleByArgument, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error

    /// The level of the log.
    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
  }

  /// How messages are written to standard error.
  enum Format: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json
  }

  @Option(help: "How messages are written to standard error; the kit's 'logs' has JSON.")
  var logFormat = Format.text

  @Option(help: "The least that is written; 'log-level' changes it while the program runs.")
  var logLevel = Level.info

  @Option(
    help: ArgumentHelp(
      "Where /health, /ready and /metrics are told over HTTP, as 127.0.0.1:7480; nowhere if not given.",
      valueName: "host:port"
    )
  )
  var operations: String?
}

/// The log, the metrics and the health of a long-running program.
final class ProgramLog: Sendable {
  /// What is counted.
  let metrics = FederationMetrics()
  private let kit: StartupKit
  private let log: DeploymentLog
  private let logger: Logger
  private let address: (host: String, port: Int)?
  private let isConnected = Mutex(false)
  private let refusals = Mutex(RefusalTally())
  /// Whether the program is a server that waits for another one to end.
  private let standsBy: Mutex<Bool>

  /// The log of a kit's program: to standard error, to `logs` in the kit, and of each job to its folder.
  ///
  /// - Parameters:
  ///   - kit: The program's.
  ///   - options: Where it is told.
  ///   - standsBy: Whether it is a server that acts only from ``becomesActive(_:)`` on.
  /// - Throws: `ValidationError` if `--operations` is no address.
  init(_ kit: StartupKit, _ options: ProgramOptions, standsBy: Bool = false) throws {
    self.kit = kit
    address = try options.operations.map { try ConsoleOptions.address($0, of: "--operations") }
    let (metrics, participant) = (metrics, kit.participant)
    log = DeploymentLog(
      control: LogControl(level: options.logLevel.level),
      format: options.logFormat == .json ? .json : .text,
      folder: kit.folder.appending("logs"),
      name: participant.kind.rawValue,
      jobs: kit.folder.appending("work").appending("jobs"),
      counter: { metrics.logLines.add(1, [$0.rawValue]) }
    )
    logger = log.logger(
      "tessera.\(participant.kind.rawValue)",
      metadata: participant.kind == .site ? ["site": "\(participant.name)"] : [:]
    )
    metrics.watchCertificate(until: kit.expires)
    self.standsBy = Mutex(standsBy)
    // One server alone is the one that acts.
    if participant.kind == .server { metrics.holdsLease.set(standsBy ? 0 : 1) }
  }

  func line(_ text: String) { logger.info("\(text)") }

  /// Says what ends the program.
  func failure(_ text: String) { logger.critical("\(text)") }

  /// Says that the server acts from now on.
  func becomesActive(_ text: String) {
    standsBy.withLock { $0 = false }
    metrics.holdsLease.set(1)
    logger.notice("\(text)")
  }

  func set(level: Logger.Level) {
    log.control.set(level)
    logger.notice("the level of the log is \(level.rawValue)")
  }

  func note(_ event: ConnectionEvent) {
    switch event {
    case .connected:
      logger.info("connected")
      isConnected.withLock { $0 = true }
      metrics.isConnected.set(1)
    case .clock(let difference):
      guard abs(difference) >= Preflight.largestClockDifference else { return }
      logger.warning(
        "the clocks of this machine and of the server differ",
        metadata: ["seconds": "\((difference * 10).rounded() / 10)"]
      )
    case .disconnected(let reason):
      logger.warning("disconnected", metadata: ["reason": "\(reason)"])
      if isConnected.withLock({ isConnected in
        defer { isConnected = false }
        return isConnected
      }) {
        metrics.disconnections.add()
      }
      metrics.isConnected.set(0)
    }
  }

  /// Notes what happens to a server's connections.
  ///
  /// - Parameters:
  ///   - event: What happens.
  ///   - audit: Where it is noted, too, refusals as often as in the log.
  func note(_ event: ServerConnectionEvent, in audit: AuditLog) {
    switch event {
    case .connected, .revocations: logger.info("\(event)")
    case .disconnected(_, nil): logger.info("\(event)")
    case .disconnected: logger.warning("\(event)")
    case .portIsTaken: logger.warning("\(event)")
    case .unusableRevocations: logger.error("\(event)")
    case .refused(let peer, _):
      metrics.refusedConnections.add()
      guard let count = refusals.withLock({ $0.note(peer) }) else { return }
      logger.warning("\(event)", metadata: ["count": "\(count)"])
    }
    do {
      if let event = event.audited { try audit.append(event, isDurable: false) }
    } catch {
      logger.error("\(error)")
    }
  }

  func note(_ event: ServerEvent) {
    DeploymentLog.note(event, by: logger)
    metrics.observe(event)
    if case .jobChanged(let job) = event, job.state.isOver { log.finish(job: job.id) }
  }

  func note(_ event: SiteJobs.Event) {
    DeploymentLog.note(event, by: logger)
    if case .forgotten(let job) = event { log.finish(job: job) }
  }

  /// Tells over HTTP how the program is, until the task is cancelled; nothing, if nobody wants to know.
  ///
  /// - Throws: If the port cannot be had.
  func serve() async throws {
    guard let address else { return }
    var checks: [ReadinessCheck] = [
      .certificate(from: kit.certificate.notValidBefore, until: kit.expires),
      .writable(kit.folder.appending("work")),
    ]
    if kit.participant.kind == .server {
      checks.append(
        ReadinessCheck("lease") { [weak self] in
          self?.standsBy.withLock { $0 } ?? false
            ? "standby: another server is the active one" : nil
        }
      )
    }
    if kit.participant.kind == .site {
      checks.append(.connected { [weak self] in self?.isConnected.withLock { $0 } ?? false })
    }
    let endpoint = OperationsEndpoint(
      host: address.host,
      port: address.port,
      name: kit.participant.name,
      metrics: metrics.registry,
      checks: checks
    )
    try await endpoint.run { [logger] port in
      logger.info("health and metrics are told at http://\(address.host):\(port)")
    }
  }
}
