internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning
internal import TesseraRun

struct Poc: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Provisions a federation on this machine, starts it, and runs a job.",
    discussion: """
      A server and sites as processes of their own, with certificates and mutual TLS on loopback. All of it stays in the folder: \
      kits to look at, and results.
      """
  )

  @Option(help: "How many sites there are.")
  var sites = 3

  @Option(
    help: ArgumentHelp(
      "The job; a small classifier of Fashion-MNIST if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var job: String?

  @Option(
    help: ArgumentHelp(
      "Where it all goes; a new folder in runs/ if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var into: String?

  @Flag(help: "Leave the server and the sites running after the job, until Ctrl-C.")
  var keep = false

  @OptionGroup var answer: AnswerOptions

  private struct Result: Encodable {
    var job: String
    var state: String
    var folder: String
    var results: String
    var secondsToFirstRound: Double?
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      guard (1...64).contains(sites) else {
        throw ValidationError("--sites must be in 1...64, not \(sites)")
      }
      let start = ContinuousClock.now
      let demo = try PocFederation(sites: sites, in: into.map { FilePath($0) })
      let output = ProgressOutput()
      if !answer.json {
        output.line(
          "Federation in \(demo.folder): a server, \(counted(sites, "site")), and you as 'ada'."
        )
      }
      let folder = try job.map { FilePath($0) } ?? demo.writeJob()
      if job != nil { try demo.allowPrograms() }
      let (answer, keep) = (answer, keep)
      let stopped = Ending()
      try await stopped.run { _ in
        let processes = try demo.start()
        defer { processes.stop() }
        let kit = try StartupKit(contentsOf: demo.kit("ada"))
        let port = try await processes.port
        // A job that needs few sites would begin without the others.
        try await processes.waitForSites { [json = answer.json] missing in
          guard !json else { return }
          output.line("Not connected yet, as the logs say: \(missing.joined(separator: ", "))")
        }
        try await FederationConsole.connect(kit, host: "127.0.0.1", port: port) { console in
          let job = try await console.submit(folder, components: FederationProgram.components)
          let watch = JobWatch(job.id, answer)
          let first = FirstRound()
          for try await news in console.watch(job.id) {
            if case .roundFinished = news.event { first.note(ContinuousClock.now - start) }
            if !answer.json { watch.show(news) }
          }
          let last = try await console.show(job.id).job
          let results = demo.folder.appending("results")
          do { _ = try await console.download(job.id, into: results) } catch {
            // A job that came to nothing has said why.
            guard case .finished(.completed) = last.state else { throw ExitCode(1) }
            throw error
          }
          let seconds = first.seconds
          try answer.say(
            Result(
              job: job.id,
              state: last.state.name,
              folder: demo.folder.string,
              results: results.string,
              secondsToFirstRound: seconds
            ),
            [
              "",
              seconds.map {
                String(format: "The first round was done %.1f s after the command. ", $0)
                  + "Report: \(results.appending("report.html"))"
              } ?? "No round was done.",
              "What happened: \(demo.folder)/logs. The kits: \(demo.folder)/kits.",
            ]
          )
          guard case .finished(.completed) = last.state else { throw ExitCode(1) }
        }
        if keep {
          // For people, also where the answer is for a program.
          FileHandle.standardError.write(
            Data(
              """

              The federation goes on, until Ctrl-C. In another terminal:

                  export TESSERA_KIT=\(demo.kit("ada")) TESSERA_SERVER=127.0.0.1:\(try await processes.port)
                  \(FederationProgram.name) sites

              """.utf8
            )
          )
          try await processes.waitUntilStopped()
        }
      }
    }
  }
}

/// When the first round was done.
private final class FirstRound: Sendable {
  private let state = Mutex<Duration?>(nil)
  func note(_ time: Duration) { state.withLock { $0 = $0 ?? time } }
  var seconds: Double? { state.withLock { $0.map { $0 / .seconds(1) } } }
}
