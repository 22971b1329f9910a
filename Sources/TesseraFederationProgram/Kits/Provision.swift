internal import ArgumentParser
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraProvisioning

struct Provision: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes start-up kits: one folder for each participant.",
    discussion: """
      project.yml lists servers, sites and users. Run again after adding some: who is there keeps its kit. Who has another role, \
      organisation, address or port there gets a new certificate for the key that it has, to be copied over its kit; with another \
      role or organisation, the old one is revoked. Who came by 'request' and 'approve' is not listed, and stays. \
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
    var requested: [String]
    var changed: [String: Change]

    struct Change: Encodable {
      var files: String
      var what: String
      var isRevoked: Bool
    }
  }

  func run() async throws {
    try await reportingErrors(asJSON: answer.json) {
      let project = try Project(contentsOf: FilePath(project))
      let folder = FilePath(into ?? project.name)
      let (_, outcome) = try AuthorityFolder.provision(project, in: folder)
      var words = outcome.kits.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      if words.isEmpty {
        if outcome.changed.isEmpty { words = ["Everybody has a kit already."] }
      } else if !outcome.unchanged.isEmpty {
        words.append("If the federation runs already, \(Self.newLists)")
      }
      for (name, change) in outcome.changed.sorted(by: { $0.key < $1.key }) {
        words.append(
          """
          \(name) is now certified for \(change.what). Copy what is in \(change.files) over \(name)'s kit, where the keys and \
          local/ stay as they are (cp -r \(change.files)/. KIT/), and restart its program.
          """
        )
        if change.isRevoked {
          words.append(
            """
            \(name)'s certificate of before is revoked: bring startup/revoked.json and startup/revoked.json.sig to the kits of \
            servers and sites.
            """
          )
        }
      }
      if !outcome.changed.isEmpty { words.append("So that all know it, \(Self.newLists)") }
      if !outcome.requested.isEmpty {
        words.append(
          """
          By request, and not in \(project.name)'s file: \(outcome.requested.joined(separator: ", ")). They stay as they are.
          """
        )
      }
      for name in outcome.absent {
        words.append(
          """
          \(name) is no longer in \(project.name), and its certificate is still good: \
          \(FederationProgram.name) revoke \(name) --authority \(folder)
          """
        )
      }
      try answer.say(
        Made(
          project: project.name,
          kits: outcome.kits.mapValues(\.string),
          unchanged: outcome.unchanged,
          absent: outcome.absent,
          requested: outcome.requested,
          changed: outcome.changed.mapValues {
            .init(files: $0.files.string, what: $0.what, isRevoked: $0.isRevoked)
          }
        ),
        words
      )
    }
  }
}
