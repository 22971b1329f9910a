internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraRetrieval
internal import TesseraRun

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Repeats a run and says 'identical', or names the first checkpoint and tensor that differ.",
    discussion: """
      Exit code 0 if identical, 2 if not. It takes as long as the run did, on as many threads of as many processes; of a run that was \
      stopped, what is there is repeated.
      """
  )

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory)
  var folder: String

  @Option(
    help: ArgumentHelp(
      "Where the data set lies now, if not where the run's plan says.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var data: String?

  @OptionGroup var processes: ReplicaOptions

  @Flag(help: "Print the result as JSON; progress goes to standard error.")
  var json = false

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let record = try RunRecord.open(at: FilePath(folder))
      let manifest = try record.manifest()
      let plan = try RetrievalExperiment.plan(of: manifest)
      let computation = try RecordedComputation(of: manifest)
      var processes = processes
      if processes.replicas == nil, computation.processes > 1 {
        processes.replicas = computation.processes
      }
      let replicas = try processes.processes()
      let session = RetrievalSession(json: json || replicas?.rank ?? 0 > 0)
      let dataset = try await session.dataset(data ?? plan.data)
      let experiment = try await session.experiment(plan, dataset, on: .cpu)
      if let replicas, replicas.rank > 0 {
        return try await session.computing {
          try await experiment.assist(replicas, threads: computation.threads)
        }
      }
      let others = try replicas.map { try processes.start(besides: $0) } ?? []
      defer { for process in others where process.isRunning { process.terminate() } }
      let difference: RunDifference?
      do {
        difference = try await session.repeating(experiment, record, replicas)
      } catch is CancellationError {
        session.output.line("Stopped before the end: nothing is proved or disproved.")
        throw ExitCode(130)
      }
      let verification = Verification(
        of: record.folder.string,
        difference: difference.map { "\($0)\(manifest.versionNote)" }
      )
      if json {
        print(try PrintedJSON.of(verification))
      } else {
        for line in verification.lines { session.output.line(line) }
      }
      if difference != nil { throw ExitCode(2) }
    }
  }
}
