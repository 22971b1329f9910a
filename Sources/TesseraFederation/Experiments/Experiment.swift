internal import SystemPackage
internal import TesseraCore
public import TesseraRun

/// Something that is run into a record, can go on after a kill, and can be repeated bit for bit.
public protocol Experiment: Sendable {
  /// The first contents of `run.json`.
  func newManifest() throws -> RunManifest

  /// Runs, or goes on, saving after each step.
  ///
  /// - Parameters:
  ///   - record: Where to save; a new record, or that of an interrupted run of the same experiment.
  ///   - limit: How far to go; to the end if `nil`.
  ///   - observe: Is told what happens.
  ///   - checkRound: Is called after each round; throwing ends the run.
  /// - Returns: The finished manifest, which is saved too; of a run that is finished already, its manifest.
  /// - Throws: `CancellationError` if the task was cancelled. The record then says `interrupted` and can be resumed.
  func run(
    in record: RunRecord,
    to limit: ExperimentLimit?,
    observe: @escaping @Sendable (ExperimentEvent) -> Void,
    checkRound: (RunManifest) throws -> Void
  ) async throws -> RunManifest

  /// How many threads compute; has no influence on results.
  var lanes: Int { get }

  /// How much there is to do.
  ///
  /// - Parameters:
  ///   - manifest: What the run has done; earlier sessions are not counted.
  ///   - isRepetition: Whether that is to be done again, and nothing more.
  /// - Returns: Rounds, examples and lanes.
  func work(of manifest: RunManifest, isRepetition: Bool) -> ExperimentWork

  /// The names of the model's tensors, in its order.
  func tensorNames() throws -> [String]
}

/// How far an experiment goes, as if it had been interrupted there.
public struct ExperimentLimit: Sendable, Hashable {
  /// The last round of each training; those that are not named are left out.
  public var rounds: [String: Int]
  /// Whether what follows the trainings is done too.
  public var isWhole: Bool
}

extension Experiment {
  /// Runs, or goes on with, the whole experiment.
  ///
  /// - Parameters:
  ///   - record: Where to save.
  ///   - observe: Is told what happens.
  ///   - checkRound: Is called after each round; throwing ends the run.
  /// - Returns: The finished manifest.
  /// - Throws: As ``run(in:to:observe:checkRound:)``.
  public func run(
    in record: RunRecord,
    observe: @escaping @Sendable (ExperimentEvent) -> Void = { _ in },
    checkRound: (RunManifest) throws -> Void = { _ in }
  ) async throws -> RunManifest {
    try await run(in: record, to: nil, observe: observe, checkRound: checkRound)
  }
}

/// What happens during an experiment, for those who watch.
///
/// Arrives from any thread.
public enum ExperimentEvent: Sendable {
  /// A federated training has begun, or goes on.
  case trainingStarted(name: String, title: String)
  /// A round has begun; so many sites are asked.
  case roundStarted(Int, sites: Int)
  /// A site has answered; so many have by now, and so many images were trained on since the last event.
  case siteAnswered(answers: Int, images: Int)
  /// A round is done and saved.
  case roundFinished(RunManifest.Round)
  /// The trainings that the federation is compared with have begun; by name, how many images they will use.
  case comparisonsStarted([String: Int])
  /// One of them has used so many more images.
  case comparisonAdvanced(name: String, images: Int)
  /// One of them is done.
  case comparisonFinished(name: String, accuracy: Double)
}

extension ExperimentEvent {
  /// What those who watch an experiment see of a federation's event.
  ///
  /// - Parameters:
  ///   - event: What happened.
  ///   - passes: How often a site uses each of its examples in a round.
  init?(_ event: FederationEvent, passes: Int) {
    switch event {
    case .asked(_, let round, let sites): self = .roundStarted(round, sites: sites)
    case .answered(let site, let answers):
      self = .siteAnswered(answers: answers, images: site.exampleCount * passes)
    default: return nil
    }
  }
}

extension OpenRun {
  /// Carries out what ends a run; if it is stopped or fails, the record says so.
  ///
  /// - Throws: What `body` throws.
  func finishing(_ body: () async throws -> RunManifest) async throws -> RunManifest {
    do {
      return try await body()
    } catch {
      // The first error is the one to report, even if the disk refuses this too.
      _ = try? save { manifest in
        manifest.status = error is CancellationError ? .interrupted : .failed
        manifest.message = error is CancellationError ? nil : "\(error)"
      }
      throw error
    }
  }
}

extension RunRecord {
  /// Where a result of a training lies that is no model.
  func documentFile(_ document: String, of training: String) -> FilePath {
    let name = document.replacing(" ", with: "-").replacing("/", with: "-")
    return folder.appending("\(training)-\(name).json")
  }

  /// Writes a training's last model, and its results that are no model.
  ///
  /// - Returns: The digest of the model's file.
  func write(
    _ state: WorkflowState,
    of training: RecordedTraining,
    in manifest: RunManifest
  ) throws -> String? {
    let (name, model) = (training.name, try training.open(state.global))
    for (document, text) in state.documents {
      try AtomicFile.write(text + "\n", to: documentFile(document, of: name))
    }
    guard !model.names.isEmpty else { return nil }
    let file = modelFile(of: name, in: manifest)
    try model.write(to: file, metadata: ["producer": "tessera"])
    return try Digest.sha256(ofFile: file)
  }
}
