internal import TesseraFederationProgram

/// The program of federations, with the components that Tessera has.
@main
enum TesseraFederationCLI {
  static func main() async { await FederationProgram.main(named: "tessera federation") }
}
