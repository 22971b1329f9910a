internal import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Revoke: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ends a participant's certificate.",
    discussion: """
      Servers and sites that have the new startup/revoked.json and its signature refuse it from then on, without a restart.
      """
  )

  @Argument(help: "The participant's name.")
  var name: String

  @OptionGroup var authority: AuthorityOptions

  @Option(help: "Why; servers log it.")
  var reason = "revoked by the administrator"

  @OptionGroup var answer: AnswerOptions

  private struct Revoked: Encodable {
    var name: String
    var number: Int
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      var authority = try AuthorityFolder(contentsOf: FilePath(authority.authority))
      try authority.revoke(name, because: reason)
      try answer.say(
        Revoked(name: name, number: authority.revocations.number),
        [
          "\(name) is revoked.",
          "Bring startup/revoked.json and startup/revoked.json.sig to the kits of servers and sites.",
        ]
      )
    }
  }
}
