internal import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Renew: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Gives a participant a certificate that lasts longer, for the key it has."
  )

  @Argument(help: "The participant's name.")
  var name: String

  @OptionGroup var authority: AuthorityOptions

  @Option(
    help:
      "How many days the certificate is good for; as many as the project's file says if not given."
  )
  var days: Int?

  @OptionGroup var answer: AnswerOptions

  private struct Made: Encodable {
    var name: String
    var kit: String
  }

  func validate() throws {
    if let days, !(1...3650).contains(days) {
      throw ValidationError("The value '\(days)' is invalid for '--days <1...3650>'")
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      var authority = try AuthorityFolder(contentsOf: FilePath(authority.authority))
      let kit = try authority.renew(name, days: days)
      try answer.say(
        Made(name: name, kit: kit.string),
        [
          "\(name)'s renewed certificate is in \(kit). Copy what is in that folder over \(name)'s kit, where the keys and local/ stay",
          "as they are (cp -r \(kit)/. KIT/), and restart its program.",
        ]
      )
    }
  }
}
