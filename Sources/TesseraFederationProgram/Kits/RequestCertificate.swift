public import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
public import TesseraProvisioning

extension Participant.Kind: ExpressibleByArgument {}
extension Participant.Role: ExpressibleByArgument {}

struct RequestCertificate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "request",
    abstract: "Makes keys that never leave this machine, and a request for a certificate.",
    discussion:
      "Send the request's file to the federation's administrator, and compare the fingerprint by telephone."
  )

  @Argument(help: "The participant's name.")
  var name: String

  @Option(help: "Whose it is.")
  var organisation: String

  @Option(help: "What it is.")
  var kind = Participant.Kind.site

  @Option(help: "What a user may do.")
  var role: Participant.Role?

  @Option(help: "A server's host name or IP address; can be given several times.")
  var address: [String] = []

  @Option(help: "A server's port.")
  var port: Int?

  @Option(
    help: ArgumentHelp("Becomes the kit; the name if not given.", valueName: "folder"),
    completion: .directory
  )
  var into: String?

  @OptionGroup var answer: AnswerOptions

  private struct Made: Encodable {
    var request: String
    var fingerprint: String
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      let participant = try Participant(
        name: name,
        kind: kind,
        organisation: organisation,
        role: role,
        addresses: address,
        port: kind == .server ? port ?? Project.usualPort : port
      )
      let file = try CertificateRequest.make(for: participant, in: FilePath(into ?? name))
      let fingerprint = try CertificateRequest(contentsOf: file).fingerprint
      try answer.say(
        Made(request: file.string, fingerprint: fingerprint),
        ["Send \(file) to the administrator.", "Fingerprint: \(fingerprint)"]
      )
    }
  }
}
