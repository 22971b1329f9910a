internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning

struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks at all that a start-up kit's program needs, before the first job does.",
    discussion: """
      The kit's files, its certificate and the clock; the server's names and ports, and TLS with it; disk, folders and limits; \
      the participant's policy and data; the database that two servers share. ✓ is good, ! works and should be looked at, \
      ✗ keeps jobs from running. docs/operators.md explains each finding by its name.
      """
  )

  @Argument(help: "The kit.", completion: .directory)
  var kit: String

  @Option(
    help: ArgumentHelp(
      "The server, of a site's or a person's kit; $TESSERA_SERVER, or that of the kit, if not given.",
      valueName: "host:port"
    )
  )
  var server: String?

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var answer: AnswerOptions

  private struct Result: Encodable {
    struct Finding: Encodable {
      var code: PreflightFinding.Code
      var verdict: PreflightFinding.Verdict
      var message: String
      var advice: String?
    }
    var name: String?
    var kind: String?
    var project: String?
    var expires: String?
    var isGood: Bool
    var findings: [Finding]
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      let environment = ProcessInfo.processInfo.environment
      let address = try (server ?? environment["TESSERA_SERVER"]).map {
        try ConsoleOptions.address($0)
      }
      let preflight = Preflight(
        kit: FilePath(kit),
        database: database.address,
        server: address,
        policy: { [components = FederationProgram.components] in
          try Preflight.policy(of: $0, components: components)
        }
      ) { kit, host, port in
        do { return try await ServerProbe(kit).contact(host: host, port: port) } catch {
          return .unreachable(reason: "\(error)")
        }
      }
      let report = await preflight.run()
      try answer.say(
        Result(
          name: report.kit?.participant.name,
          kind: report.kit?.participant.kind.rawValue,
          project: report.kit?.project,
          expires: report.kit?.expires.ISO8601Format(),
          isGood: report.isGood,
          findings: report.findings.map {
            .init(code: $0.code, verdict: $0.verdict, message: $0.message, advice: $0.advice)
          }
        ),
        report.findings.flatMap { finding in
          let line = "\(finding.verdict.mark) \(finding.message)"
          guard let advice = finding.advice else { return [line] }
          return ["\(line) [\(finding.code.rawValue)]", "    \(advice)"]
        }
      )
      if !report.isGood { throw ExitCode(1) }
    }
  }
}
