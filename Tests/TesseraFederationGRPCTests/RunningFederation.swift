import Foundation
import SystemPackage
import TesseraCore
import TesseraData
import TesseraDeployment
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning

/// A server, sites and a console of one federation, each as its program runs it, over TLS on loopback.
struct RunningFederation: Sendable {
  let loopback: LoopbackFederation
  let jobs: JobService
  let port: Int

  /// Runs a federation while `body` asks.
  ///
  /// - Parameters:
  ///   - count: How many sites there are.
  ///   - loopback: The kits and folders of a federation that ran before, which goes on.
  ///   - memory: Where the server keeps its jobs; in its kit, as one server alone does, if `nil`.
  ///   - isAudited: Whether each program writes its audit log.
  ///   - spool: Where the server keeps large answers.
  ///   - settings: What the server's jobs know of their surroundings.
  ///   - body: Asks; the federation ends with it.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws, and what ends a program.
  static func run<Value: Sendable>(
    sites count: Int = 2,
    _ loopback: LoopbackFederation? = nil,
    memory: ServerMemory? = nil,
    isAudited: Bool = false,
    spool: FilePath? = FederationServer.temporaryFolder,
    settings: JobService.Settings = JobService.Settings(),
    _ body: @escaping @Sendable (RunningFederation) async throws -> Value
  ) async throws -> Value {
    let loopback = try loopback ?? LoopbackFederation(sites: count, withData: true)
    let server = try loopback.server(spool: spool)
    let kit = try loopback.kit("server")
    let audit = isAudited ? try AuditLog(of: kit) : nil
    let jobs = try JobService(
      kit,
      network: server,
      store: memory?.store ?? SQLiteJobStore(at: kit.folder.appending("jobs.sqlite")),
      replica: memory?.replica,
      in: memory?.folder,
      settings: settings
    ) {
      try audit?.note($0, at: kit.participant.name)
    }
    try await jobs.takeOver()
    return try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask {
        try await server.run(administering: jobs)
        return nil
      }
      group.addTask {
        try await jobs.run()
        return nil
      }
      let port = try await server.port
      for site in loopback.sites {
        let kit = try loopback.kit(site.name)
        let audit = isAudited ? try AuditLog(of: kit) : nil
        let jobs = try SiteJobs(kit) { try audit?.note($0, at: kit.participant.name) }
        let site = try FederationSite(kit, host: "127.0.0.1", port: port, handler: jobs)
        group.addTask {
          try await site.run()
          return nil
        }
      }
      group.addTask {
        try await body(RunningFederation(loopback: loopback, jobs: jobs, port: port))
      }
      defer { group.cancelAll() }
      while let result = try await group.next() {
        if let result { return result }
      }
      throw CancellationError()
    }
  }

  /// Asks as a user.
  func console<Value: Sendable>(
    as name: String = "ada",
    _ body: @escaping @Sendable (FederationConsole) async throws -> Value
  ) async throws -> Value {
    try await FederationConsole.connect(
      loopback.kit(name),
      host: "127.0.0.1",
      port: port,
      body
    )
  }

  /// A job's folder.
  func folder(_ name: String, _ text: String) throws -> FilePath {
    let folder = loopback.folder.appending("jobs").appending(name)
    try FileManager.default.createDirectory(
      atPath: folder.string,
      withIntermediateDirectories: true
    )
    try text.write(toFile: folder.appending("job.yml").string, atomically: true, encoding: .utf8)
    return folder
  }
}

extension FederationConsole {
  /// What a job is when it is over.
  func end(of id: String) async throws -> JobRecord {
    for try await _ in watch(id) {}
    return try await show(id).job
  }
}
