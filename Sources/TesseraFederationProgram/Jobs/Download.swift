internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraRun

struct Download: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetches what a job has made: the model, the report, the record of its rounds.",
    discussion: """
      What arrives is verified by the digests that the server tells, which --json prints. It lies in FOLDER.part until all of it is \
      there: FOLDER is whole, or not there. Run again after an interruption, it goes on where it was broken off.
      """
  )

  @Argument(help: "The job's id.")
  var job: String

  @Option(
    help: ArgumentHelp(
      "Where it goes; a new folder of the job's name if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var into: String?

  @Option(help: ArgumentHelp("One file alone.", valueName: "path"))
  var file: String?

  @OptionGroup var console: ConsoleOptions

  private struct Fetched: Encodable {
    var job: String
    var folder: String
    var files: [JobFileEntry]
  }

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, only, answer) = (job, file, console.answer)
      let folder = FilePath(into ?? job)
      let output = ProgressOutput()
      try await console.connected { console in
        let isJSON = answer.json
        let shown: @Sendable (String, Int, Int) -> Void = { file, done, total in
          guard !isJSON else { return }
          output.status("\(file)  \(JobText.bytes(done)) of \(JobText.bytes(total))")
        }
        defer { output.clear() }
        let files: [JobFileEntry]
        if let only {
          files = [try await console.download(only, of: id, into: folder, progress: shown)]
        } else {
          files = try await console.download(id, into: folder, progress: shown)
        }
        output.clear()
        try answer.say(
          Fetched(job: id, folder: folder.string, files: files),
          files.map { "\(folder.pushing(FilePath($0.path)))  \(JobText.bytes($0.bytes))" }
            + ["\(counted(files.count, "file")), each with the digest that the server has of it."]
        )
      }
    }
  }
}
