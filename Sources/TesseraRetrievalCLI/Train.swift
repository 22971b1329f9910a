internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import TesseraCommandLine
internal import TesseraRetrieval
internal import TesseraRun

struct Train: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a model on pictures with texts, and on translations.",
    discussion: """
      The file says what is trained on what, and how; docs/retrieval.md lists its keys. The run's folder holds the model, what it \
      achieves in each language, and everything needed to repeat the run. Ctrl-C stops it; the same command with --output goes on.
      """
  )

  @Argument(help: "What is trained, and how.", completion: .file(extensions: ["yml", "yaml"]))
  var config: String

  @OptionGroup var sites: SiteOptions
  @OptionGroup var processes: ReplicaOptions
  @OptionGroup var computer: DeviceOptions
  @OptionGroup var target: RunTarget

  func run() async throws {
    try await reportingErrors {
      let device = try computer.device(rank: processes.rank ?? 0)
      let plan = sites.federating(try RetrievalPlan(contentsOf: FilePath(config)))
      let session = RetrievalSession(json: processes.rank ?? 0 > 0)
      let dataset = try await session.dataset(plan.data)
      let experiment = try await session.experiment(plan, dataset, on: device)
      let replicas = try processes.processes()
      let threads = processes.threads(target.threads)
      if let replicas, replicas.rank > 0 {
        return try await session.computing {
          try await experiment.assist(replicas, threads: threads)
        }
      }
      let others =
        try replicas.map {
          try processes.start(besides: $0, telling: threads.map { ["--threads", "\($0)"] } ?? [])
        } ?? []
      defer { for process in others where process.isRunning { process.terminate() } }
      let (record, _) = try await session.run(
        experiment,
        in: target.output,
        threads: threads,
        replicas: replicas
      )
      session.output.line(
        "\nReport: \(record.reportFile). The models are in \(record.folder)/models."
      )
    }
  }
}

/// Whether a federation trains the same, too.
struct SiteOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Trains MURAL-style by a federation, too, whose sites hold their own languages, and compares: \(Self.names).",
      valueName: "division"
    ),
    completion: .list(RetrievalPlan.Federation.Division.allCases.map(\.rawValue)),
    transform: { text in
      guard let division = RetrievalPlan.Federation.Division(rawValue: text) else {
        throw ValidationError("'\(text)' is not \(Self.names)")
      }
      return division
    }
  )
  var sites: RetrievalPlan.Federation.Division?

  private static let names = RetrievalPlan.Federation.Division.allCases.map(\.rawValue)
    .joined(separator: " or ")

  /// A plan with the federation.
  func federating(_ plan: RetrievalPlan) -> RetrievalPlan {
    guard let sites else { return plan }
    var plan = plan
    plan.federation = plan.federation ?? .init()
    plan.federation?.sites = sites
    for system in [RetrievalPlan.System.mural, .federated] where !plan.systems.contains(system) {
      plan.systems.append(system)
    }
    return plan
  }
}

/// Where a run is recorded, and on how many threads it computes.
struct RunTarget: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The run's folder; one that was interrupted is gone on with. A new one under runs/ if not given.",
      valueName: "folder"
    ),
    completion: .directory
  )
  var output: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many threads compute; all cores if not given.", valueName: "1...1024")
  )
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("The value '\(threads)' is invalid for '--threads <1...1024>'")
    }
    if output == "" {
      throw ValidationError("The value '' is invalid for '--output <folder>': name a folder")
    }
  }
}
