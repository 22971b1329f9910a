// The program of a federation whose jobs can name a component of its own: server, sites and commands are this one program.
import TesseraFederation
import TesseraFederationProgram

@main
enum OwnFederation {
  static func main() async {
    var components = JobComponents.standard
    components.algorithms.register("lookahead", summary: "Answers with a part of the way.") {
      try Lookahead($0)
    }
    await FederationProgram.main(components: components)
  }
}
