internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import TesseraRun

/// Says over HTTP how a server or a site is: to a supervisor, a load balancer, Prometheus.
///
/// | path | what |
/// |---|---|
/// | `/health` | 200 as long as the program runs, 503 if none of its tasks has run for some seconds |
/// | `/ready` | 200 if it is of use, 503 with the reasons if not |
/// | `/metrics` | Prometheus' text format, version 0.0.4 |
///
/// It listens at loopback unless told otherwise: it has neither TLS nor passwords, and what it says names jobs and sites. It
/// answers one request a connection, small ones only, and gives up on those who take too long.
public final class OperationsEndpoint: Sendable {
  /// The port, unless told otherwise.
  public static let usualPort = 7480

  /// What one connection may take.
  public struct Limits: Sendable, Hashable {
    /// After which time a connection ends, whatever it is at.
    public var time: Duration
    /// How many bytes a request may have.
    public var requestSize: Int
    /// How many connections there are at once.
    public var connections: Int

    /// Limits.
    public init(time: Duration = .seconds(10), requestSize: Int = 16 << 10, connections: Int = 64) {
      self.time = time
      self.requestSize = requestSize
      self.connections = connections
    }
  }

  private let host: String
  private let port: Int
  private let name: String
  private let metrics: MetricsRegistry
  private let checks: [ReadinessCheck]
  private let limits: Limits
  private let start = ContinuousClock.now
  private let pulse = TaskPulse()

  /// An endpoint that does not listen yet.
  ///
  /// - Parameters:
  ///   - host: The address to listen at.
  ///   - port: The port to listen at; any free one if 0.
  ///   - name: Who answers: the participant's name.
  ///   - metrics: What `/metrics` shows.
  ///   - checks: What `/ready` looks at.
  ///   - limits: What one connection may take.
  public init(
    host: String = "127.0.0.1",
    port: Int = OperationsEndpoint.usualPort,
    name: String,
    metrics: MetricsRegistry,
    checks: [ReadinessCheck] = [],
    limits: Limits = Limits()
  ) {
    self.host = host
    self.port = port
    self.name = name
    self.metrics = metrics
    self.checks = checks
    self.limits = limits
  }

  /// Listens, until the task is cancelled.
  ///
  /// - Parameter listening: Is called with the port once there is one.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if the port cannot be had.
  public func run(listening: @Sendable (Int) -> Void = { _ in }) async throws {
    let open = OpenConnections(limit: limits.connections)
    let server: any Channel
    do {
      server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture { try self.configure(channel, open) }
        }
        .bind(host: host, port: port).get()
    } catch {
      throw DeploymentError(
        code: .unavailable,
        message: "cannot listen at \(host):\(port) for health and metrics: \(error)"
      )
    }
    listening(server.localAddress?.port ?? port)
    try await withTaskCancellationHandler {
      defer { open.close() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await self.pulse.run() }
        group.addTask { try await server.closeFuture.get() }
        defer { group.cancelAll() }
        try await group.next()
      }
    } onCancel: {
      server.close(promise: nil)
    }
  }

  private func configure(_ channel: any Channel, _ open: OpenConnections) throws {
    var sizes = NIOHTTPDecoderLimitConfiguration()
    sizes.maxHeaderFieldSize = limits.requestSize
    sizes.maxHeaderListSize = limits.requestSize
    sizes.maxHeaderFieldCount = 64
    try channel.pipeline.syncOperations.addHandlers([
      ConnectionLimits(limits, open), HTTPResponseEncoder(),
      ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: sizes)),
      HTTPServerProtocolErrorHandler(), RequestHandler { self.answer(to: $0) },
    ])
  }

  private func answer(to request: HTTPRequestHead) -> RequestHandler.Answer {
    let path = request.uri.prefix { $0 != "?" }
    guard ["/health", "/ready", "/metrics"].contains(path) else {
      return Self.answer(.notFound, Failure(error: "there are /health, /ready and /metrics"))
    }
    guard request.method == .GET || request.method == .HEAD else {
      var answer = Self.answer(.methodNotAllowed, Failure(error: "only GET and HEAD are answered"))
      answer.allowed = "GET, HEAD"
      return answer
    }
    switch path {
    case "/metrics":
      return .init(
        status: .ok,
        type: "text/plain; version=0.0.4; charset=utf-8",
        body: metrics.exposition()
      )
    case "/ready":
      var problems: [String: String] = [:]
      for check in checks {
        if let problem = check.problem() { problems[check.name] = problem }
      }
      return Self.answer(
        problems.isEmpty ? .ok : .serviceUnavailable,
        Readiness(name: name, ready: problems.isEmpty, problems: problems)
      )
    default:
      // Before the connection's own time is over.
      let runs = pulse.isThere(within: limits.time * 4 / 5)
      return Self.answer(
        runs ? .ok : .serviceUnavailable,
        Health(
          name: name,
          status: runs ? "running" : "stuck",
          version: Versions.tessera,
          seconds: ((ContinuousClock.now - start) / .seconds(1)).rounded(.down)
        )
      )
    }
  }

  private struct Health: Encodable {
    var name: String
    var status: String
    var version: String
    var seconds: Double
  }
  private struct Readiness: Encodable {
    var name: String
    var ready: Bool
    var problems: [String: String]
  }
  private struct Failure: Encodable {
    var error: String
  }

  private static func answer(
    _ status: HTTPResponseStatus,
    _ object: some Encodable
  ) -> RequestHandler.Answer {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = (try? encoder.encode(object)) ?? Data()
    return .init(
      status: status,
      type: "application/json",
      body: String(decoding: data, as: UTF8.self) + "\n"
    )
  }
}
