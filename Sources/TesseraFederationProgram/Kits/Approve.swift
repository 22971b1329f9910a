internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Approve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Signs a request, and makes the rest of the participant's kit.",
    discussion:
      "The kit's files belong into the folder where the request was made, beside the keys."
  )

  @Argument(help: "The request's file.", completion: .file(extensions: ["json"]))
  var request: String

  @OptionGroup var authority: AuthorityOptions

  @Option(
    help:
      "How many days the certificate is good for; as many as the project's file says if not given."
  )
  var days: Int?

  @Flag(help: "Do not ask.")
  var yes = false

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
      let request = try CertificateRequest(contentsOf: FilePath(request))
      var authority = try AuthorityFolder(contentsOf: FilePath(authority.authority))
      if !yes {
        let participant = request.participant
        let role = participant.role.map { ", \($0.rawValue)" } ?? ""
        let port = participant.port.map { ", port \($0)" } ?? ""
        let addresses =
          participant.addresses.isEmpty
          ? "" : ", at \(participant.addresses.joined(separator: ", "))\(port)"
        // Answers are for programs, questions for people.
        func ask(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
        ask(
          """
          \(participant.name): \(participant.kind.rawValue)\(role), of \(participant.organisation)\(addresses)
          Fingerprint: \(request.fingerprint)
          Is it what you expect, and is the fingerprint the requester's? [y/N] 
          """
        )
        guard readLine()?.lowercased() == "y" else {
          ask("Not signed.\n")
          throw ExitCode(1)
        }
      }
      let kit = try authority.approve(request, days: days)
      try answer.say(
        Made(name: request.participant.name, kit: kit.string),
        [
          "Send \(kit) to \(request.participant.name); it goes beside the keys, as it is.",
          "If the federation runs already, \(Provision.newLists)",
        ]
      )
    }
  }
}
