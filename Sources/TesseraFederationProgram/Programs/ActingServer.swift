internal import Foundation
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning
internal import TesseraRun

/// A server's program while it is the one that acts, and while it waits to be.
///
/// Logs and the audit log stay with the machine: each server signs what it has done itself, and no chain has two writers.
struct ActingServer: Sendable {
  let kit: StartupKit
  let server: FederationServer
  let log: ProgramLog
  let audit: AuditLog
  /// How long a site may say nothing while a job is prepared.
  let patience: Duration
  let ending: Ending

  /// Stands by until this is the active one of the servers that share a database, and acts until it is not any longer.
  ///
  /// A server that has lost the right to act ends the process: others take what it says for true as long as it listens.
  ///
  /// - Parameter database: Its address.
  /// - Throws: What keeps it from waiting or acting; `CancellationError` when the task is cancelled.
  func serve(sharing database: String) async throws {
    log.line(
      "\(kit.participant.name) of \(kit.project) is a standby: it waits to become the active server"
    )
    let lease = try await ServerLease.acquire(
      at: database,
      as: "\(kit.participant.name) at \(Self.machine)",
      of: kit.project
    ) { [log, kit, server] reason in
      // Who has the lease now waits for the port.
      server.stopListening()
      Ending.now {
        log.failure(
          "\(kit.participant.name) is not the active server any longer, and ends: \(reason)"
        )
      }
    }
    // Given up when all that is done with it is done.
    defer { lease.release() }
    log.becomesActive(
      "\(kit.participant.name) is the active server from now on, the \(lease.epoch). of this database"
    )
    let store = try PostgreSQLJobStore(at: database, epoch: lease.epoch)
    let replica = try RecordReplica(at: database, epoch: lease.epoch)
    try await serve(from: store, replica: replica)
  }

  /// Acts.
  ///
  /// - Parameters:
  ///   - store: The jobs.
  ///   - replica: Where copies of jobs' folders are, if other servers can take over.
  /// - Throws: What ends it; `CancellationError` when the task is cancelled.
  func serve(from store: any JobStore, replica: (any JobReplica)?) async throws {
    log.metrics.watchJobs(of: store)
    log.metrics.watchSites(of: server)
    var settings = JobService.Settings()
    settings.patience = patience
    settings.components = FederationProgram.components
    let jobs = try JobService(
      kit,
      network: server,
      store: store,
      replica: replica,
      settings: settings
    ) {
      try audit.note($0, at: kit.participant.name)
      log.note($0)
    }
    if replica != nil {
      let count = try await jobs.takeOver()
      log.line(
        "\(counted(count, "job")) \(count == 1 ? "goes" : "go") on from \(count == 1 ? "its copy" : "their copies")"
      )
    }
    try await withThrowingTaskGroup { group in
      // The server that acted before may hold the port for as long as it takes to end.
      let patience = replica == nil ? Duration.zero : Self.portPatience
      group.addTask {
        try await server.run(administering: jobs, waitingForPort: patience) { ending.end($0, log) }
      }
      group.addTask { try await jobs.run() }
      group.addTask {
        // What keeps it from listening is thrown by the server itself.
        guard let port = try? await server.port else { return }
        log.line("\(kit.participant.name) of \(kit.project) listens at port \(port)")
      }
      for try await _ in group {}
    }
  }

  /// How long a server that takes over waits for its port.
  private static let portPatience = Duration.seconds(20)

  /// What the machine calls itself.
  private static var machine: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "an unnamed machine" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
