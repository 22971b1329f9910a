internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says whether a start-up kit is whole, and until when it is good."
  )

  @Argument(help: "The kit.", completion: .directory)
  var kit: String

  @OptionGroup var answer: AnswerOptions

  private struct Kit: Encodable {
    var name: String
    var kind: String
    var project: String
    var expires: String
  }

  func run() async throws {
    try await reportingErrors {
      let kit = try StartupKit(contentsOf: FilePath(kit))
      let end = kit.expires
      let days = Int(end.timeIntervalSinceNow / 86_400)
      try answer.say(
        Kit(
          name: kit.participant.name,
          kind: kit.participant.kind.rawValue,
          project: kit.project,
          expires: end.ISO8601Format()
        ),
        [
          "\(kit.participant.name), \(kit.participant.kind.rawValue) of \(kit.project): the kit is whole.",
          "Its certificate is good for \(days) days, until \(end.ISO8601Format()).",
        ]
      )
    }
  }
}
