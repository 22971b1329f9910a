internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning

struct ServerProgram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server",
    abstract: "Runs a federation's server.",
    discussion: """
      What it must not forget is in the kit's folder 'work'. Killed and started again, it goes on with the jobs that ran.
      """
  )

  @Argument(help: "The server's start-up kit.", completion: .directory)
  var kit: String

  @Option(help: "The address to listen at; all of the machine's if not given.")
  var host: String?

  @Option(help: "The port to listen at; the kit's if not given.")
  var port: Int?

  @Option(help: "Seconds without a sign of life after which a connection is given up.")
  var patience: Double = 60

  @OptionGroup var options: ProgramOptions

  func run() async throws {
    try await reportingErrors {
      guard (0.1...86_400).contains(patience) else {
        throw ValidationError("--patience must be in 0.1...86400, not \(patience)")
      }
      let kit = try StartupKit(contentsOf: FilePath(kit))
      let log = try ProgramLog(kit, options)
      let audit = try AuditLog(of: kit)
      let server = try FederationServer(
        kit,
        host: host,
        port: port,
        patience: .seconds(patience)
      ) { log.note($0, in: audit) }
      let work = kit.folder.appending("work")
      try FileManager.default.createDirectory(
        atPath: work.string,
        withIntermediateDirectories: true
      )
      let store = try SQLiteJobStore(at: work.appending("jobs.sqlite"))
      log.metrics.watchJobs(of: store)
      log.metrics.watchSites(of: server)
      let ending = Ending()
      var settings = JobService.Settings()
      settings.patience = .seconds(patience)
      let jobs = try JobService(kit, network: server, store: store, settings: settings) {
        try audit.note($0, at: kit.participant.name)
        log.note($0)
      }
      try await ending.run { ending in
        try await withThrowingTaskGroup { group in
          group.addTask { try await server.run(administering: jobs) { ending.end($0, log) } }
          group.addTask { try await jobs.run() }
          group.addTask { try await log.serve() }
          group.addTask {
            let port = try await server.port
            log.line("\(kit.participant.name) of \(kit.project) listens at port \(port)")
          }
          for try await _ in group {}
        }
      }
      log.line("\(kit.participant.name) ends")
    }
  }
}
