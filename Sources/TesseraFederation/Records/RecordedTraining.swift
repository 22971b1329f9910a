internal import Foundation
internal import SystemPackage
public import TesseraCore
public import TesseraRun

/// A federated training of a run: journaled event by event, its state saved after each round.
///
/// The state after round n is in `state-NAME-n.safetensors` before the journal says that the round is done, and the earlier one
/// goes only afterwards: a kill between any two steps leaves a pair that fits, and a training that goes on ends with the same
/// bits.
public struct RecordedTraining: Sendable {
  /// The training's name in the record.
  public var name: String
  /// What is run.
  public var federation: Federation
  /// Where the first round starts.
  public var initial: WorkflowState
  /// How often a site uses each of its examples in a round: for people, who want to know how many that is in a second.
  public var passes = 1
  /// Whether sites keep something from round to round, which is then in the record too.
  public var memories: FolderSiteMemories?
  /// Reads a global model, which may be encrypted, as a site does.
  public var open: @Sendable (Exchange) throws -> ModelState = { $0.tensors }
  /// What the privacy budgets' owners have spent by a state.
  public var epsilon: (@Sendable (WorkflowState) throws -> [String: Double])?

  /// Is called whenever what a process that goes on needs is on the disk, before anything follows from it; throwing ends the run.
  public var didSave: @Sendable () throws -> Void = {}

  /// A training of a run.
  public init(name: String, federation: Federation, initial: WorkflowState) {
    self.name = name
    self.federation = federation
    self.initial = initial
  }

  /// Runs, or goes on, to the end.
  ///
  /// - Parameters:
  ///   - run: The run, whose manifest has a training of this name.
  ///   - observe: Is told what happens, from any thread.
  ///   - finishRound: Is called after each round, when it is saved; throwing ends the run.
  ///   - journal: Is told each event before it is in the run's journal, from any thread; throwing ends the run.
  ///   - willSave: Is called when a round is done, before it is saved; throwing ends the run.
  /// - Returns: The last state.
  /// - Throws: ``RunError`` or ``FederationError`` if what an earlier process left does not fit, and what
  ///   ``Federation/run(from:finishRound:journal:observe:)`` throws.
  public func run(
    in run: OpenRun,
    observe: @escaping @Sendable (FederationEvent) -> Void = { _ in },
    finishRound: (RunManifest.Round) throws -> Void = { _ in },
    journal: @escaping @Sendable (JournalEvent) throws -> Void = { _ in },
    willSave: (_ round: Int) throws -> Void = { _ in }
  ) async throws -> WorkflowState {
    let training = run.manifest.trainings.first { $0.name == name }
    let last = training?.rounds.last
    let state = try last.map { try saved(after: $0, in: run.record) } ?? initial
    // What sites remember of a round's tasks that are done belongs to what was kept of the round.
    let kept = try keptProgress(after: state, in: run.record)
    memories?.settle(
      at: kept?.step ?? state.step,
      unused: kept.map { $0.unused ?? [:] } ?? state.unusedAnswers
    )
    if training?.isFinished == true { return state }
    // A kill may have come between the last round and the note that it was the last.
    if state.isFinished, let accuracy = last?.accuracy,
      accuracy >= federation.targetAccuracy ?? .infinity
    {
      try run.append(
        .trainingFinished(training: name, reason: FinishReason.targetReached.rawValue)
      )
      return state
    }
    try didSave()
    var federation = federation
    let (progress, didSave) = (progressFile(in: run.record), didSave)
    federation.progress = RoundProgressStore {
      FileManager.default.contents(atPath: progress.string)
    } save: { data in
      // The tasks that are kept are not done again: the journal must not lack them.
      try run.synchronize()
      try AtomicFile.write(to: progress) { writer in
        try data.withUnsafeBytes { try writer.write($0) }
      }
      try didSave()
    }
    var firstStep = state.step + 1
    let outcome = try await federation.run(from: state) { result in
      let entry = try entry(for: result, firstStep: firstStep)
      firstStep = result.state.step + 1
      try willSave(entry.round)
      // The state first: a round that the journal has can be gone on from.
      try result.state.write(to: file(entry.round, in: run.record))
      try run.append(
        .roundFinished(training: name, result: entry),
        efforts: result.efforts.mapValues(\.metrics)
      )
      unlink(progress.string)
      removeStates(in: run.record, except: entry.round)
      memories?.settle(at: result.state.step, unused: result.state.unusedAnswers)
      try didSave()
      try finishRound(entry)
    } journal: { event in
      try journal(event)
      try run.append(.init(event, in: name))
    } observe: {
      observe($0)
    }
    if outcome.reason != .paused {
      try run.append(.trainingFinished(training: name, reason: outcome.reason.rawValue))
    }
    return outcome.state
  }

  /// Removes what only a training that goes on needs.
  public func clear(_ record: RunRecord) {
    removeStates(in: record, except: nil)
    unlink(progressFile(in: record).string)
  }

  /// What was kept of the round after a state, if something was.
  private func keptProgress(
    after state: WorkflowState,
    in record: RunRecord
  ) throws -> RoundProgress? {
    guard let data = FileManager.default.contents(atPath: progressFile(in: record).string),
      let progress = try? JSONDecoder().decode(RoundProgress.self, from: data),
      progress.round == state.round + 1, progress.firstStep == state.step
    else { return nil }
    return progress
  }

  private func saved(
    after round: RunManifest.Round,
    in record: RunRecord
  ) throws -> WorkflowState {
    let file = file(round.round, in: record)
    let state = try WorkflowState(contentsOf: file)
    let memory = try state.memoryTensors().map { try Digest.sha256(of: $0).model }
    let documents = Self.digests(of: state.documents)
    // Records of versions that did not note the documents cannot say what they were.
    guard try Digest.sha256(of: state.model).model == round.model, memory == round.memory,
      documents == round.documents ?? documents, state.round == round.round,
      state.step == round.step
    else {
      throw RunError(
        code: .cannotResume,
        message: """
          cannot resume \(record.folder): \(file) is not what the journal describes after round \
          \(round.round) of '\(name)'
          """
      )
    }
    return state
  }

  private func entry(for result: RoundResult, firstStep: Int) throws -> RunManifest.Round {
    let digest = try Digest.sha256(of: result.model)
    let seconds = result.duration / .seconds(1)
    let examples = result.contributions.reduce(0) { $0 + Double($1.exampleCount) } * Double(passes)
    var entry = RunManifest.Round(
      round: result.round,
      model: digest.model,
      tensors: digest.tensors,
      contributors: result.contributions.map(RunManifest.Contributor.init),
      rejected: result.refusals.map(RunManifest.Rejection.init),
      trainingLoss: result.trainingLoss,
      loss: result.evaluation?.loss,
      accuracy: result.evaluation?.accuracy,
      seconds: seconds,
      examplesPerSecond: seconds > 0 ? examples / seconds : 0
    )
    entry.bytesDown = result.traffic.down
    entry.bytesUp = result.traffic.up
    entry.compression = result.traffic.compression
    entry.epsilon = try epsilon?(result.state) ?? [:]
    entry.memory = try result.state.memoryTensors().map { try Digest.sha256(of: $0).model }
    entry.step = result.state.step
    entry.documents = Self.digests(of: result.state.documents)
    var kept: [String: String] = [:]
    // Of a site that was given up, nobody knows how far it came.
    for part in result.contributions where kept[part.site] == nil {
      kept[part.site] = try memories?.digest(
        ofSite: part.index,
        from: firstStep,
        through: result.state.step
      )
    }
    entry.siteMemories = kept
    return entry
  }

  /// Of each document as it is written to a file.
  private static func digests(of documents: [String: String]) -> [String: String] {
    documents.mapValues { Digest.sha256(ofText: $0 + "\n") }
  }

  private func file(_ round: Int, in record: RunRecord) -> FilePath {
    record.stateFile(of: name, after: round)
  }

  private func progressFile(in record: RunRecord) -> FilePath {
    record.folder.appending("progress-\(name).json")
  }

  private func removeStates(in record: RunRecord, except round: Int?) {
    let kept = round.map { file($0, in: record).lastComponent?.string }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: record.folder.string)) ?? []
    for file in names where file != kept {
      let (beginning, end) = ("state-\(name)-", ".safetensors")
      guard file.hasPrefix(beginning), file.hasSuffix(end),
        Int(file.dropFirst(beginning.count).dropLast(end.count)) != nil
      else { continue }
      // A file that stays is harmless: resuming reads the one that the journal names.
      unlink(record.folder.appending(file).string)
    }
  }
}

extension RunRecord {
  /// Writes the global model after the last round that is done, of a run that was ended before its time.
  ///
  /// - Throws: What keeps it from being read or written.
  public func writeLastModel() throws {
    guard let training = try manifest().trainings.first, let last = training.rounds.last else {
      return
    }
    let state = try WorkflowState(contentsOf: stateFile(of: training.name, after: last.round))
    try state.model.write(to: modelFile)
  }

  /// Where the state of a training lies that goes on.
  func stateFile(of training: String, after round: Int) -> FilePath {
    folder.appending("state-\(training)-\(round).safetensors")
  }
}

extension RunManifest.Contributor {
  init(_ part: Contribution) {
    self.init(site: part.site, weight: part.weight, metrics: part.metrics)
  }
}

extension RunManifest.Rejection {
  init(_ refusal: Refusal) {
    self.init(site: refusal.site, reason: refusal.reason)
  }
}

extension RunEvent {
  init(_ event: JournalEvent, in training: String) {
    self =
      switch event {
      case .roundStarted(let round): .roundStarted(training: training, round: round)
      case .taskOpened(let step, let task, let round, let sites):
        .taskOpened(
          training: training,
          step: step,
          task: task.description,
          round: round,
          sites: sites
        )
      case .answerAccepted(let step, let part):
        .answerAccepted(training: training, step: step, contributor: .init(part))
      case .answerRefused(let step, let refusal):
        .answerRefused(training: training, step: step, rejection: .init(refusal))
      case .taskClosed(let step, let accepted):
        .taskClosed(training: training, step: step, accepted: accepted)
      }
  }
}
