internal import Foundation
internal import TesseraDeployment
internal import TesseraFederation
internal import TesseraFederationGRPC

/// What a long-running program tells on standard error.
final class ProgramLog: Sendable {
  private let name: String

  init(name: String) { self.name = name }

  func line(_ text: String) {
    FileHandle.standardError.write(Data("\(Date().ISO8601Format())  \(text)\n".utf8))
  }

  func set(level: String) { line("log level \(level)") }

  func note(_ event: ConnectionEvent) {
    switch event {
    case .connected: line("connected")
    case .disconnected(let reason): line("disconnected: \(reason)")
    }
  }

  func note(_ event: ServerEvent) {
    switch event {
    case .jobChanged(let job):
      line("\(job.id) is \(job.state.name)\(job.state.reason.map { ": \($0)" } ?? "")")
    case .trouble(let job, let text): line("\(job ?? ""): \(text)")
    case .roundFinished(let job, let round): line("\(job): " + JobText.line(of: round))
    case .asked(let what, let person, let decision):
      line("\(person.name) asks: \(what): \(decision.isAllowed ? "allowed" : "refused")")
    case .round, .progress: break
    }
  }

  func note(_ event: SiteJobs.Event) {
    switch event {
    case .accepted(let job, let by): line("\(job): accepted, of \(by.name)")
    case .refused(let job, let reason): line("\(job): refused: \(reason)")
    case .began(let job, let sites): line("\(job): begins, with \(sites) sites")
    case .failed(let job, let task, let error): line("\(job): \(task.name): \(error)")
    case .forgotten(let job): line("\(job): over")
    case .operated(let what, let by, let isAllowed):
      line("\(by.name) asks: \(what): \(isAllowed ? "allowed" : "refused")")
    case .answered: break
    }
  }
}
