internal import ArgumentParser
internal import TesseraCommandLine

@main
struct FederationProgram: CommandLineProgram {
  static let configuration = CommandConfiguration(
    commandName: "tessera federation",
    abstract: "Provisions federations of several machines.",
    subcommands: [
      Provision.self, RequestCertificate.self, Approve.self, Renew.self, Revoke.self, Check.self,
    ]
  )

  static func main() async { await runProgram() }
}
