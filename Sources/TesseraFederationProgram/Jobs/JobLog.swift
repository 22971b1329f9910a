internal import ArgumentParser
internal import Foundation
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC

struct JobLog: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Shows what the server has logged of a job."
  )

  @Argument(help: "The job's id.")
  var job: String

  @Flag(
    name: [.short, .long],
    help: "Go on with lines that are written later, to the end of the job."
  )
  var follow = false

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, follows, isJSON) = (job, follow, console.answer.json)
      try await console.connected { console in
        for try await line in console.log(of: id, following: follows) {
          print(isJSON ? line : LogText.line(line))
          if follows { fflush(nil) }
        }
      }
    }
  }
}
