internal import ArgumentParser
internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraDeployment
internal import TesseraFederationGRPC
internal import TesseraProvisioning

struct Console: AsyncParsableCommand {
  static var configuration: CommandConfiguration {
    CommandConfiguration(
      abstract:
        "Takes the commands of this program one after the other, with history and completion.",
      discussion: """
        Commands are given without '\(FederationProgram.name)': 'jobs', 'watch JOB', 'help'. The tab key completes commands, their options, \
        and the names of jobs and sites. Ctrl-C ends the command that runs, or drops the line that is written; Ctrl-D ends the console.
        """
    )
  }

  @Argument(
    help: "Your start-up kit; $TESSERA_KIT, or the current folder, if not given.",
    completion: .directory
  )
  var kit: String?

  @Option(help: ArgumentHelp("The server, if not that of the kit.", valueName: "host:port"))
  var server: String?

  func run() async throws {
    try await reportingErrors {
      let environment = ProcessInfo.processInfo.environment
      let kit = kit ?? environment["TESSERA_KIT"] ?? "."
      let server = server ?? environment["TESSERA_SERVER"]
      let whose = try StartupKit(contentsOf: FilePath(kit))
      setenv("TESSERA_KIT", kit, 1)
      let address = try server.map { try ConsoleOptions.address($0) }
      if let server { setenv("TESSERA_SERVER", server, 1) }
      let known = KnownNames(whose)
      let local = FilePath(kit).appending("local")
      // A user's kit has no settings of its own, and begins without the folder.
      try? FileManager.default.createDirectory(
        atPath: local.string,
        withIntermediateDirectories: true
      )
      let interrupts = try Interrupts()
      let reader = LineEditor(history: local.appending("history"), interrupts: interrupts) {
        line,
        word in
        known.words.candidates(after: line, for: word)
      }
      print(
        "\(whose.participant.name) of \(whose.project). 'help' lists the commands; Ctrl-D ends."
      )
      while true {
        // What the next line can name is asked while it is written.
        let asking = Task { await known.refresh(address?.host, address?.port) }
        defer { asking.cancel() }
        switch reader.next("\(whose.project)> ") {
        case .end: return
        case .interrupted: continue
        case .line(let line):
          let words = CommandWords.split(line)
          guard let first = words.first else { continue }
          if ["exit", "quit", "bye"].contains(first) { return }
          await interrupts.cancelling(Self.carryingOut(words))
        }
      }
    }
  }

  /// Carries out one command; whatever comes of it, the console goes on.
  private static func carryingOut(_ words: [String]) -> Task<Void, Never> {
    Task {
      do {
        var command = try FederationCommands.parseAsRoot(words)
        guard !(command is Console) else { return }
        if var command = command as? any AsyncParsableCommand {
          try await command.run()
        } else {
          try command.run()
        }
      } catch is ExitCode {
        // It has said itself what went wrong.
      } catch {
        print(FederationCommands.fullMessage(for: error))
      }
    }
  }
}

/// The names that a person can mean: of the kit, and of the server's jobs as they were last.
private final class KnownNames: Sendable {
  private let kit: StartupKit
  private let state: Mutex<CommandWords>

  init(_ kit: StartupKit) {
    self.kit = kit
    func names(_ kind: Participant.Kind) -> [String] {
      kit.participants.entries.map(\.participant).filter { $0.kind == kind }.map(\.name)
    }
    state = Mutex(CommandWords(sites: names(.site), servers: names(.server)))
  }

  var words: CommandWords { state.withLock { $0 } }

  /// Asks the server for its jobs; what was known before stays if it does not answer.
  func refresh(_ host: String?, _ port: Int?) async {
    let jobs = try? await FederationConsole.connect(kit, host: host, port: port) { console in
      try await console.jobs().map(\.id)
    }
    if let jobs { state.withLock { $0.jobs = jobs } }
  }
}
