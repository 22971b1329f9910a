internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraRun

/// Follows a job in the terminal, to its end.
final class JobWatch: Sendable {
  private struct State: Sendable {
    var sites = 0
    var asked = 0
    var round = 0
    var rounds = 0
    var last: JobRecord?
    var seconds: [Double] = []
  }

  private let id: String
  private let isJSON: Bool
  private let output = ProgressOutput()
  private let state = Mutex(State())

  init(_ id: String, _ answer: AnswerOptions) {
    self.id = id
    isJSON = answer.json
  }

  /// Shows what happens.
  ///
  /// - Throws: `ExitCode` if the job does not end as it should.
  func follow(_ console: FederationConsole) async throws {
    try await console.watch(id) { [self] event in
      if isJSON { print(try JSONText.of(event)) } else { show(event) }
    }
    output.clear()
    guard case .finished(.completed)? = state.withLock({ $0.last?.state }) else {
      throw ExitCode(1)
    }
  }

  func show(_ event: JobEvent) {
    let (lines, status) = state.withLock { Self.text(of: event, &$0) }
    for line in lines { output.line(line) }
    if let status { output.status(status) }
  }

  private static func text(
    of event: JobEvent,
    _ state: inout State
  ) -> (lines: [String], status: String?) {
    switch event {
    case .changed(let job):
      defer { state.last = job }
      guard job.state != state.last?.state else { return ([], nil) }
      let reason = job.state.reason.map { ": \($0)" } ?? ""
      let sites =
        job.state == .running ? " at \(job.sites.map(\.name).joined(separator: ", "))" : ""
      return (["\(job.id) is \(job.state.name)\(sites)\(reason)"], nil)
    case .waiting(let reason): return (["it \(reason)"], nil)
    case .declined(let site, let reason): return (["\(site) does not take part: \(reason)"], nil)
    case .asked(let task, let round, let sites):
      (state.round, state.sites, state.asked) = (round, 0, sites)
      return ([], status(state, doing: task))
    case .answered(_, let answers):
      state.sites = answers
      return ([], status(state, doing: nil))
    case .transferring(let transfers):
      return ([], status(state, doing: nil) + "  " + JobText.line(of: transfers))
    case .refused(let site, let reason): return (["\(site) was refused: \(reason)"], nil)
    case .roundFinished(let round):
      state.rounds = round.rounds
      state.seconds.append(round.seconds)
      return ([JobText.line(of: round)], nil)
    }
  }

  private static func status(_ state: State, doing task: String?) -> String {
    var text = "round \(state.round)"
    if state.rounds > 0 { text += "/\(state.rounds)" }
    text += "  sites \(state.sites)/\(state.asked)"
    if let task { text += "  \(task)" }
    let recent = state.seconds.suffix(5)
    if state.rounds > 0, !recent.isEmpty {
      let each = recent.reduce(0, +) / Double(recent.count)
      text += "  \(TimeLeft.text(Double(state.rounds - state.round + 1) * each)) left"
    }
    return text
  }
}

struct Watch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Follows a job: rounds, sites, metrics, and what is moved.",
    discussion:
      "Ends with the job: exit code 0 if it is completed, 1 if not. Ctrl-C leaves the job alone."
  )

  @Argument(help: "The job's id.")
  var job: String

  @OptionGroup var console: ConsoleOptions

  func run() async throws {
    try await reportingErrors {
      let (id, answer) = (job, console.answer)
      try await console.connected { try await JobWatch(id, answer).follow($0) }
    }
  }
}
