internal import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC

struct Submit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Hands in a job: signs its folder, and sends it to the server.",
    discussion: """
      The folder holds job.yml, and what belongs to it. A data.yml is for simulations: in a federation each site says itself where \
      its data are. So it stays where it is, and with it all that it names in the folder.
      """
  )

  @Argument(help: "The job's folder.", completion: .directory)
  var job: String

  @Flag(help: "Follow the job to its end.")
  var watch = false

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (folder, answer, follows) = (FilePath(job), console.answer, watch)
      try await console.connected { console in
        let bundle = try console.prepare(
          folder,
          components: FederationProgram.components
        )
        let job = try await console.submit(bundle)
        try answer.say(job, JobText.sent(bundle) + JobText.submitted(job))
        if follows { return try await JobWatch(job.id, answer).follow(console) }
        // Nothing comes of a job that was abandoned at once.
        if job.state.isOver { throw ExitCode(1) }
      }
    }
  }
}

struct Clone: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Hands in a copy of a job, signed by you."
  )

  @Argument(help: "The job's id.")
  var job: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, answer) = (job, console.answer)
      try await console.connected { console in
        let job = try await console.clone(id)
        try answer.say(job, JobText.submitted(job))
        if job.state.isOver { throw ExitCode(1) }
      }
    }
  }
}
