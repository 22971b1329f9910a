internal import ArgumentParser
internal import Foundation
internal import SystemPackage
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

  @Flag(help: "Only say whether the job's files are right.")
  var check = false

  func validate() throws {
    for (option, path) in [("output", output), ("job", job)] where path == "" {
      throw ValidationError("The value '' is invalid for '\(option)': name a folder")
    }
  }

  func run() async throws {
    try await Session.reportingErrors {
      let session = Session()
      if let output { try RunRecord.checkIsFree(FilePath(output)) }
      let job = try Job(contentsOf: FilePath(job))
      let run = try session.reading("the data of \(job.name)") {
        try JobRun(job, lanes: lanes?.value, progress: $0)
      }
      if check {
        session.output.line("\(job.name) is right: \(counted(run.data.sites.count, "site")).")
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
}
