internal import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Provision: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes start-up kits: one folder for each participant.",
    discussion: """
      project.yml lists servers, sites and users. Run again after adding some: who is there keeps its kit. \
      The folder's 'authority' holds the key that admits anybody: keep it to yourself.
      """
  )

  @Argument(help: "The project's file.", completion: .file(extensions: ["yml", "yaml"]))
  var project: String

  @Option(
    help: ArgumentHelp(
      "Where the authority and the kits lie; the project's name if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var into: String?

  @OptionGroup var answer: AnswerOptions

  /// What is to be done so that those who are there know those who are new.
  static let newLists =
    "bring startup/participants.json and its signature to the kits of servers and sites, and restart these."

  private struct Made: Encodable {
    var project: String
    var kits: [String: String]
    var unchanged: [String]
    var absent: [String]
  }

  func run() async throws {
    try await reportingErrors {
      let project = try Project(contentsOf: FilePath(project))
      let folder = FilePath(into ?? project.name)
      let (_, outcome) = try AuthorityFolder.provision(project, in: folder)
      var words = outcome.kits.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      if words.isEmpty {
        words = ["Everybody has a kit already."]
      } else if !outcome.unchanged.isEmpty {
        words.append("If the federation runs already, \(Self.newLists)")
      }
      for name in outcome.absent {
        words.append(
          """
          \(name) is no longer in \(project.name), and its certificate is still good: \
          tessera federation revoke \(name) --authority \(folder)
          """
        )
      }
      try answer.say(
        Made(
          project: project.name,
          kits: outcome.kits.mapValues(\.string),
          unchanged: outcome.unchanged,
          absent: outcome.absent
        ),
        words
      )
    }
  }
}
