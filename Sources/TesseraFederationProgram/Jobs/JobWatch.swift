internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraRun

/// Follows a job in the terminal, to its end.
final class JobWatch: Sendable {
  private let id: String
  private let isJSON: Bool
  private let output: ProgressOutput
  private let picture = Mutex(JobPicture())

  init(_ id: String, _ answer: AnswerOptions, to output: ProgressOutput = ProgressOutput()) {
    self.id = id
    isJSON = answer.json
    self.output = output
  }

  /// Shows what happens.
  ///
  /// - Throws: `ExitCode` if the job does not end as it should.
  func follow(_ console: FederationConsole) async throws {
    defer { output.clear() }
    for try await news in console.watch(id) {
      if isJSON {
        picture.withLock { _ = $0.lines(for: news) }
        print(try JSONText.of(news))
        // Whoever reads a pipe reads what happens now.
        fflush(nil)
      } else {
        show(news)
      }
    }
    try Task.checkCancellation()
    guard picture.withLock({ $0.job?.state }) == .finished(.completed) else { throw ExitCode(1) }
  }

  func show(_ news: JobNews) {
    let (lines, status) = picture.withLock { ($0.lines(for: news), $0.status) }
    for line in lines { output.line(line) }
    if let status { output.status(status) }
  }
}

struct Watch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follows a job: rounds, sites, metrics, and what is moved.",
    discussion: """
      Ends with the job: exit code 0 if it is completed, 1 if not. Ctrl-C leaves the job alone. A server that is restarted, or that \
      another one takes over from, does not end it: it says so, seeks the server, and goes on where it was.

      In the line that is redrawn, of each site of the round: ✓ it has answered, ● it works, with what it has measured last, ✗ its \
      answer was refused, ○ it is not connected.
      """
  )

  @Argument(help: "The job's id.")
  var job: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors(asJSON: console.answer.json) {
      let (id, answer) = (job, console.answer)
      try await console.connected { try await JobWatch(id, answer).follow($0) }
    }
  }
}
