internal import ArgumentParser
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC

struct Abort: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ends a job, at the server and at all sites.",
    discussion:
      "It is over when the command returns. What its finished rounds have made can still be downloaded."
  )

  @Argument(help: "The job's id.")
  var job: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, answer) = (job, console.answer)
      try await console.connected { console in
        let job = try await console.abort(id)
        try answer.say(job, ["Job \(job.id) is \(job.state.name)."])
      }
    }
  }
}

struct DeleteJob: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Removes a job that is over from the server, with all that it has made."
  )

  @Argument(help: "The job's id.")
  var job: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, answer) = (job, console.answer)
      try await console.connected { console in
        try await console.delete(id)
        try answer.say(["deleted": id], ["Job \(id) is deleted."])
      }
    }
  }
}
