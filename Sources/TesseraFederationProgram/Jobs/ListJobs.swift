public import ArgumentParser
internal import Foundation
internal import TesseraCommandLine
public import TesseraDeployment
internal import TesseraFederationGRPC

extension JobState.Word: ExpressibleByArgument {}

struct ListJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs",
    abstract: "Lists the jobs that you may see, the newest first."
  )

  @Option(help: "Those of one person.")
  var submitter: String?

  @Option(help: "Those in one state.")
  var state: JobState.Word?

  /// What `--state` takes.
  static let states = JobState.Word.allCases.map(\.rawValue)

  @Option(help: "How many.")
  var limit: Int = 100

  @Option(help: ArgumentHelp("Those that are older than this one.", valueName: "job"))
  var before: String?

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      guard (1...JobService.largestPage).contains(limit) else {
        throw ValidationError("--limit must be in 1...\(JobService.largestPage), not \(limit)")
      }
      let (submitter, state, answer) = (submitter, state, console.answer)
      let (limit, before) = (limit, before)
      try await console.connected { console in
        let jobs = try await console.jobs(
          submitter: submitter,
          state: state,
          limit: limit,
          before: before
        )
        try answer.say(jobs, jobs.isEmpty ? ["There are no jobs."] : JobText.table(of: jobs))
      }
    }
  }
}

struct ShowJob: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Shows a job: its state, its sites, its rounds."
  )

  @Argument(help: "The job's id.")
  var job: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, answer) = (job, console.answer)
      try await console.connected { console in
        let details = try await console.show(id)
        try answer.say(details, JobText.page(of: details))
      }
    }
  }
}
