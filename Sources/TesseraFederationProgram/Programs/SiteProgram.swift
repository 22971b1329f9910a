internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraDeployment
internal import TesseraFederation
internal import TesseraFederationGRPC
internal import TesseraProvisioning

struct SiteProgram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "site",
    abstract: "Runs a site: opens a connection to the federation's server, and works at its jobs.",
    discussion: """
      The site decides for itself what jobs may do: local/policy.yml in the kit. local/data.yml says where its data are.
      """
  )

  @Argument(help: "The site's start-up kit.", completion: .directory)
  var kit: String

  @Option(help: ArgumentHelp("The server, if not that of the kit.", valueName: "host:port"))
  var server: String?

  @Option(
    help: "Seconds without a sign of life after which the server is given up, and sought again."
  )
  var patience: Double = 60

  @Option(help: "How many threads compute; as many as there are cores if not given.")
  var lanes: Int?

  @OptionGroup var options: ProgramOptions

  func run() async throws {
    ProcessMemory.keepLittle()
    try await reportingErrors {
      if let lanes, !(1...1024).contains(lanes) {
        throw ValidationError("--lanes must be in 1...1024, not \(lanes)")
      }
      guard (0.1...86_400).contains(patience) else {
        throw ValidationError("--patience must be in 0.1...86400, not \(patience)")
      }
      let kit = try StartupKit(contentsOf: FilePath(kit))
      let address = try server.map { try ConsoleOptions.address($0) }
      let log = try ProgramLog(kit, options)
      let audit = try AuditLog(of: kit)
      let ending = Ending()
      let jobs = try SiteJobs(kit, components: FederationProgram.components) {
        try audit.note($0, at: kit.participant.name)
        log.note($0)
      } operate: {
        ending.end($0, log)
      }
      var limits = ExchangeLimits()
      limits.bytes = jobs.largestContent
      let site = try FederationSite(
        kit,
        host: address?.host,
        port: address?.port,
        patience: .seconds(patience),
        lanes: lanes ?? ProcessInfo.processInfo.activeProcessorCount,
        limits: limits,
        spool: kit.folder.appending("work"),
        handler: jobs
      )
      log.line("\(kit.participant.name) of \(kit.project) starts")
      try await ending.run { _ in
        try await withThrowingTaskGroup { group in
          group.addTask { try await site.run { log.note($0) } }
          group.addTask { try await log.serve() }
          for try await _ in group {}
        }
      }
      log.line("\(kit.participant.name) ends")
    }
  }
}
