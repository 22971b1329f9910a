internal import Foundation
internal import GRPCCore
internal import SwiftProtobuf
internal import Synchronization
public import TesseraDeployment

/// What is followed as it happens: sequences, which end with the job or when their reader stops.
extension FederationConsole {
  /// Follows a job, from its beginning to its end.
  ///
  ///     for try await news in console.watch(job.id) {
  ///       if case .roundFinished(let round) = news.event { print(round.trainingLoss ?? 0) }
  ///     }
  ///
  /// A server that ends, or cannot be reached any more, does not end it: the news say so, the servers' addresses are tried one after
  /// the other, and it goes on where it was. Nothing is told twice. It ends when the job is over.
  ///
  /// - Parameter id: The job's.
  /// - Returns: The news, for one reader; whoever does not read them has the server wait. The sequence throws ``DeploymentError`` if a
  ///   server refuses it.
  public func watch(_ id: String) -> some AsyncSequence<JobNews, any Error> & Sendable {
    PacedStream { pass in try await WatchedJob(id, pass).follow(self) }
  }

  /// The lines of a job's log.
  ///
  /// - Parameters:
  ///   - id: The job's.
  ///   - follows: Whether to go on with lines that are written later, to the end of the job.
  /// - Returns: Lines of JSON, for one reader; whoever does not read them has the server wait. The sequence throws
  ///   ``DeploymentError`` if the server refuses it.
  public func log(
    of id: String,
    following follows: Bool = false
  ) -> some AsyncSequence<String, any Error> & Sendable {
    PacedStream { pass in
      try await reporting {
        try await follow(
          .with {
            $0.log = .with {
              $0.job = id
              $0.follow = follows
            }
          },
          pass
        )
      }
    }
  }

  /// The news of a job of this connection's server alone, all of them.
  ///
  /// - Throws: `RPCError` of the wire; what `observe` throws.
  fileprivate func news(
    of id: String,
    _ observe: @escaping @Sendable (JobNews) async throws -> Void
  ) async throws {
    try await follow(.with { $0.watch = .with { $0.job = id } }) {
      try await observe(JSONText.value(JobNews.self, of: $0))
    }
  }
}

/// A job that is watched over the ends of connections and servers.
private actor WatchedJob {
  private let id: String
  private let pass: @Sendable (JobNews) async throws -> Void
  private var seen = SeenNews()

  private static let pauses = (shortest: Duration.milliseconds(100), longest: Duration.seconds(1))

  init(_ id: String, _ pass: @escaping @Sendable (JobNews) async throws -> Void) {
    self.id = id
    self.pass = pass
  }

  /// Follows the job to its end.
  ///
  /// - Throws: ``DeploymentError`` with what a server refuses; `CancellationError`.
  func follow(_ console: FederationConsole) async throws {
    if let reason = try await follow(at: console) {
      try await pass(JobNews(.serverLost(reason: reason)))
      try await seek(console)
    }
  }

  /// Tries all addresses, again and again, until the job is over.
  private func seek(_ console: FederationConsole) async throws {
    let places = ServerTarget.all(of: console.kit, host: console.host, port: console.port)
    var pause = Self.pauses.shortest
    while true {
      for place in places {
        try Task.checkCancellation()
        switch try await attempt(place, console) {
        case .over: return
        // Whoever was there is tried first when it is lost.
        case .lost: pause = Self.pauses.shortest
        case .nobody: break
        }
      }
      try await ContinuousClock().sleep(for: pause * Double.random(in: 0.8...1.2))
      pause = min(pause * 2, Self.pauses.longest)
    }
  }

  private enum Attempt: Sendable { case over, lost, nobody }

  private func attempt(
    _ place: ServerTarget,
    _ console: FederationConsole
  ) async throws -> Attempt {
    do {
      return try await FederationConsole.connect(
        console.kit,
        host: place.host,
        port: place.port
      ) { console in
        // Whether anybody is there shows when it is asked.
        _ = try await console.show(self.id)
        try await self.pass(JobNews(.serverFound("\(place.host):\(place.port)")))
        guard let reason = try await self.follow(at: console) else { return .over }
        try await self.pass(JobNews(.serverLost(reason: reason)))
        return .lost
      }
    } catch let error as DeploymentError where error.code == .unavailable {
      return .nobody
    }
  }

  /// Follows the job as long as a connection lasts.
  ///
  /// - Returns: Why it was lost; `nil` if the job is over.
  private func follow(at console: FederationConsole) async throws -> String? {
    do {
      let pass = pass
      let known = Mutex(seen)
      defer { seen = known.withLock { $0 } }
      try await console.news(of: id) { news in
        if known.withLock({ $0.isNew(news.event) }) { try await pass(news) }
      }
      return known.withLock(\.isOver) ? nil : "it ended the connection"
    } catch let error as RPCError where error.isLoss {
      return error.message
    } catch let error as RPCError {
      throw DeploymentError(reporting: error)
    }
  }
}

extension RPCError {
  /// Whether it says that a connection was lost, and is nothing that a server has answered.
  fileprivate var isLoss: Bool {
    guard !isAnswer else { return false }
    return [.unavailable, .unknown, .internalError, .cancelled, .aborted, .dataLoss].contains(code)
  }
}
