internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraConfiguration
internal import TesseraFederation
internal import TesseraRun

struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a job with all its sites on this machine.",
    discussion: """
      The job's folder holds job.yml, what is to be done, and data.yml, where the sites' data are. \
      Rounds, filters and aggregation are those of a deployment. Ctrl-C stops the run; \
      'tessera resume' goes on.
      """
  )

  @Argument(help: "The job's folder.", completion: .directory)
  var job: String

  @Option(
    help: ArgumentHelp(
      "The run's folder; a new one under runs/ if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var output: String?

  @Option(
    parsing: .unconditional,
    help: .limited(
      "How many threads compute; the result does not depend on it. All cores if not given.",
      LaneLimit.self
    )
  )
  var lanes: Limited<LaneLimit>?

  @Flag(
    help:
      "Only say whether the job is right, with all that is wrong with it, and what privacy it will cost."
  )
  var check = false

  @Flag(
    help:
      "Print the result, or what is wrong with the job, as JSON; progress goes to standard error."
  )
  var json = false

  func validate() throws {
    for (option, path) in [("output", output), ("job", job)] where path == "" {
      throw ValidationError("The value '' is invalid for '\(option)': name a folder")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: json) {
      let session = Session(json: json)
      if let output, !check { try RunRecord.checkIsFree(FilePath(output)) }
      let (job, run) = try read(session)
      if check {
        let sites = run.data.sites.count
        guard json else {
          session.output.line("\(job.name) is right: \(counted(sites, "site")).")
          for line in try run.privacyPlan()?.lines ?? [] { session.output.line(line) }
          return
        }
        print(try PrintedJSON.of(CheckResult(job: job.name, sites: sites, problems: [])))
        return
      }
      let manifest = try run.newManifest()
      let record =
        try output.map { try RunRecord.create(at: FilePath($0), manifest) }
        ?? RunRecord.create(in: "runs", at: Date(), manifest)
      try job.write(to: record)
      try await session.run(run, in: record)
    }
  }

  private func read(_ session: Session) throws -> (Job, JobRun) {
    do {
      let job = try Job(contentsOf: FilePath(job))
      let run = try session.reading("the data of \(job.name)") {
        try JobRun(job, lanes: lanes?.value, progress: $0)
      }
      return (job, run)
    } catch let error as ConfigurationError where json {
      print(try PrintedJSON.of(CheckResult(problems: error.problems.map(CheckResult.Problem.init))))
      throw ExitCode(1)
    }
  }
}

/// What is wrong with a job, for a program.
private struct CheckResult: Encodable {
  struct Problem: Encodable {
    var file: String
    var line: Int?
    var column: Int?
    var keyPath: String
    var code: String
    var message: String

    init(_ problem: ConfigurationError.Problem) {
      file = problem.file.string
      line = problem.position?.line
      column = problem.position?.column
      keyPath = problem.keyPath
      code = "\(problem.code)"
      message = problem.message
    }
  }

  var job: String?
  var sites: Int?
  var problems: [Problem]
}
