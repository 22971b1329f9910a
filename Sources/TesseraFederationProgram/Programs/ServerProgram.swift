internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning

struct ServerProgram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server",
    abstract: "Runs a federation's server.",
    discussion: """
      What it must not forget is in the kit's folder 'work'. Killed and started again, it goes on with the jobs that ran.

      Two servers behind one address share a PostgreSQL database: started with --database, a server stands by until it is the active \
      one, and goes on with the jobs of the one before. docs/standby.md sets it up.
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

  @Option(help: "How many connections there may be, of sites and people together.")
  var connections: Int = FederationServer.usualConnections

  @OptionGroup var database: DatabaseOptions

  @Flag(
    help:
      "Act without a database, though the federation has a second server: that one must not run."
  )
  var alone = false

  @OptionGroup var options: ProgramOptions

  func run() async throws {
    ProcessMemory.keepLittle()
    try await reportingErrors {
      guard (0.1...86_400).contains(patience) else {
        throw ValidationError("--patience must be in 0.1...86400, not \(patience)")
      }
      guard (1...1_000_000).contains(connections) else {
        throw ValidationError("--connections must be in 1...1000000, not \(connections)")
      }
      let kit = try StartupKit(contentsOf: FilePath(kit))
      let (database, patience) = (database.address, patience)
      let servers = kit.participants.entries.count { $0.participant.kind == .server }
      guard servers < 2 || database != nil || alone else {
        throw ValidationError(
          """
          the federation has two servers, and without --database or $TESSERA_DATABASE both would act; --alone if the other one \
          does not run
          """
        )
      }
      let log = try ProgramLog(kit, options, standsBy: database != nil)
      let audit = try AuditLog(of: kit)
      let work = kit.folder.appending("work")
      try FileManager.default.createDirectory(
        atPath: work.string,
        withIntermediateDirectories: true
      )
      let server = try FederationServer(
        kit,
        host: host,
        port: port,
        patience: .seconds(patience),
        connections: connections,
        spool: work
      ) { log.note($0, in: audit) }
      let own = database == nil ? try SQLiteJobStore(at: work.appending("jobs.sqlite")) : nil
      let ending = Ending()
      try await ending.run { ending in
        let acting = ActingServer(
          kit: kit,
          server: server,
          log: log,
          audit: audit,
          patience: .seconds(patience),
          ending: ending
        )
        try await withThrowingTaskGroup { group in
          group.addTask { try await log.serve() }
          group.addTask {
            if let own { try await acting.serve(from: own, replica: nil) }
            if let database { try await acting.serve(sharing: database) }
          }
          for try await _ in group {}
        }
      }
      log.line("\(kit.participant.name) ends")
    }
  }
}
