internal import Foundation
internal import Synchronization
public import SystemPackage
internal import TesseraConfiguration
public import TesseraCore

/// Sites that train with a program of their own, in whatever language.
///
/// Each site's program is started once, with the site's first task, and is given the tasks of the whole job over a Unix socket;
/// tensors go through safetensors files. docs/trainer-protocol.md describes what is said, and `python/` has the other side for
/// Python. A program that dies is started once more for the task that it had. When nobody waits for a task any more, its program
/// is ended within a second; with the job, all of them.
///
/// A site with a privacy budget lets answers of a program leave only if its filters make them private: a program can promise
/// nothing.
public final class ExternalTrainer: Executor {
  /// What a site's program works on.
  public struct SiteData: Sendable, Hashable {
    /// A folder or a file, which the program reads itself.
    public var path: FilePath
    /// Whether the site has announced how many examples that are; if not, what the program says decides how much an answer
    /// weighs beside others.
    public var isCounted: Bool

    /// The data of a site.
    public init(path: FilePath, isCounted: Bool) {
      self.path = path
      self.isCounted = isCounted
    }
  }

  /// The weight of an example at sites that have not announced how many they have: shares of one, which are exact.
  static let uncountedWeight = 0x1p-24

  private let program: TrainerProgram
  private let job: String
  private let rounds: Int
  private let data: [String: SiteData]
  private let initial: ModelState?
  private let limits: ExchangeLimits
  private let endSteps: (Duration, Duration)
  private let state = Mutex(State())

  private struct State {
    var trainers: [String: TrainerThread] = [:]
    var tasks = 0
  }

  /// An executor that starts programs.
  ///
  /// - Parameters:
  ///   - program: What to start.
  ///   - job: The job's name, for the program.
  ///   - rounds: How many rounds there are at most, where a task does not say.
  ///   - data: What the program works on, by the names of sites.
  ///   - initial: The model that the job itself begins with; the program is asked if `nil`.
  ///   - limits: What answers may hold.
  public convenience init(
    _ program: TrainerProgram,
    job: String,
    rounds: Int,
    data: [String: SiteData] = [:],
    initial: ModelState? = nil,
    limits: ExchangeLimits = ExchangeLimits()
  ) {
    self.init(
      program,
      job: job,
      rounds: rounds,
      data: data,
      initial: initial,
      limits: limits,
      endSteps: TrainerSession.endSteps
    )
  }

  /// As the public one, with the times that programs have at the end of a job, of ``TrainerSession/endSteps``.
  init(
    _ program: TrainerProgram,
    job: String,
    rounds: Int,
    data: [String: SiteData],
    initial: ModelState?,
    limits: ExchangeLimits,
    endSteps: (Duration, Duration)
  ) {
    self.program = program
    self.job = job
    self.rounds = rounds
    self.data = data
    self.initial = initial
    self.limits = limits
    self.endSteps = endSteps
  }

  /// Hands a task to the site's program, and takes its answer.
  ///
  /// - Throws: What kept the program from answering; of what it has written, the site's log alone is told.
  public func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    if task.name == .initialize, let initial {
      // It came with the job.
      site.declareFreeOfData()
      return .weights(initial)
    }
    guard task.data.parts.isEmpty else {
      throw FederationError(
        code: .badTask,
        message:
          "\(task.site.name): a trainer takes one model, and '\(task.name)' came with several"
      )
    }
    try Task.checkCancellation()
    let trainer = try trainer(of: task.site, logs: site.logs)
    let order = try order(for: task, to: trainer)
    defer { order.file.map(trainer.folder.remove) }
    guard try TrainerOrder.task(order).line().count <= TrainerMessage.longestLine else {
      throw FederationError(
        code: .limitExceeded,
        message:
          "\(task.site.name): what is said of the task '\(task.name)' is too long for a trainer"
      )
    }
    let outcome = try await trainer.ask(order) {
      site.progress()
    } measured: {
      site.progress(measured: $0.metrics, step: $0.step)
    }
    switch outcome {
    case .answered(let answer):
      do {
        return try exchange(answer, for: task, from: trainer.folder)
      } catch let violation as TrainerViolation {
        trainer.reject(violation, task: order.task)
        throw TrainerFailure(
          kind: .violation,
          site: task.site.name,
          message: "gave an answer that cannot be used: \(violation.message)"
        )
      }
    case .refused(let code, let reason):
      var refusal = Exchange(.weights, returnCode: code)
      refusal.reason = reason?.printable(atMost: 1000)
      return refusal
    case .cancelled, .failed: throw CancellationError()
    }
  }

  /// Ends all programs, and waits until they are gone: they are told that the job is over, and aborted when the current task is
  /// cancelled, before this or while they end.
  public func close() async {
    let trainers = state.withLock { state in
      defer { state.trainers = [:] }
      return Array(state.trainers.values)
    }
    await withTaskGroup(of: Void.self) { group in
      for trainer in trainers { group.addTask { await trainer.close() } }
    }
  }

  private func trainer(of site: Site, logs: FilePath?) throws -> TrainerThread {
    try state.withLock { state in
      if let trainer = state.trainers[site.name] { return trainer }
      let welcome = TrainerOrder.Welcome(
        job: job,
        site: site.name,
        siteIndex: site.index,
        data: data[site.name]?.path.string,
        folder: ""
      )
      let trainer = try TrainerThread(
        program,
        welcome: welcome,
        logs: logs,
        endSteps: endSteps
      )
      state.trainers[site.name] = trainer
      return trainer
    }
  }

  /// A task as its program is told of it, with its tensors in a file.
  private func order(for task: SiteTask, to trainer: TrainerThread) throws -> TrainerOrder.Task {
    let number = state.withLock { state in
      state.tasks += 1
      return state.tasks
    }
    let model = task.model
    let known = task.data.metadata
    return TrainerOrder.Task(
      task: number,
      name: task.name.description,
      round: task.round,
      rounds: known.rounds ?? rounds,
      // Every JSON reader has integers of 53 bits.
      seed: task.key["trainer"].value >> 11,
      file: model.names.isEmpty ? nil : try trainer.folder.write(model, task: number),
      metadata: TrainerOrder.Metadata(
        samples: known.samples,
        weight: known.weight,
        steps: known.steps,
        algorithm: known.algorithm,
        contributor: known.contributor
      ),
      metrics: task.data.metrics,
      headers: task.data.headers
    )
  }
}

extension ExternalTrainer {
  /// The answer as the site knows answers.
  ///
  /// - Throws: ``TrainerViolation`` if it does not fit the task.
  private func exchange(
    _ answer: TrainerAnswer,
    for task: SiteTask,
    from folder: TrainerFolder
  ) throws -> Exchange {
    var exchange = Exchange(answer.kind, metrics: answer.metrics)
    exchange.metadata.samples = answer.samples
    exchange.metadata.steps = answer.steps
    if let file = answer.file {
      exchange.tensors = try Self.fitting(
        folder.take(file, atMost: largestFile(for: task)),
        task
      )
    }
    do {
      try limits.check(exchange)
    } catch let error as FederationError {
      throw TrainerViolation(error.message.printable(atMost: 500))
    }
    exchange.metadata.weight = try weight(of: answer, for: task)
    return exchange
  }

  /// How many bytes a file may have: hardly more than those of the model, where there is one, and what this machine can take.
  private func largestFile(for task: SiteTask) -> Int {
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)
    guard !task.model.names.isEmpty else { return min(limits.bytes, memory) }
    let names = task.model.names.reduce(0) { $0 + $1.utf8.count * 8 + 256 }
    return task.model.byteCount + names + 1 << 20
  }

  /// The tensors in the order of the task's, if they have its names, shapes and dtypes.
  private static func fitting(_ tensors: ModelState, _ task: SiteTask) throws -> ModelState {
    guard !tensors.names.isEmpty else { throw TrainerViolation("its file has no tensors") }
    let model = task.model
    // What another workflow's task is about, its own aggregation knows.
    guard task.name == .train || task.name == .submitModel, !model.names.isEmpty else {
      return tensors
    }
    if let name = tensors.names.first(where: { model[$0] == nil }) {
      throw TrainerViolation("its tensor \(shown(name)) is not the model's")
    }
    return try ModelState(
      model.entries.map { name, expected in
        guard let tensor = tensors[name] else {
          throw TrainerViolation("its tensor \(shown(name)) is missing")
        }
        guard tensor.shape == expected.shape, tensor.dtype == expected.dtype else {
          throw TrainerViolation(
            """
            its tensor \(shown(name)) is \(tensor.dtype) \(tensor.shape) where \(expected.dtype) \
            \(expected.shape) was expected
            """
          )
        }
        return (name: name, tensor: tensor)
      }
    )
  }

  /// How much an answer weighs; `nil` if the number of its examples says so.
  private func weight(of answer: TrainerAnswer, for task: SiteTask) throws -> Double? {
    let site = task.site
    let isCounted = data[site.name]?.isCounted ?? true
    guard let samples = answer.samples else {
      // First weights rest on nothing; beside counted shares they are none.
      return !isCounted && task.name == .initialize ? Self.uncountedWeight : nil
    }
    guard samples > 0 || !answer.kind.isModel else {
      throw TrainerViolation("it rests on no examples")
    }
    guard !isCounted else {
      guard samples <= site.exampleCount else {
        throw TrainerViolation(
          "it rests on \(samples) examples, and the site has announced \(site.exampleCount)"
        )
      }
      return nil
    }
    let weight = Double(samples) * Self.uncountedWeight
    guard weight <= 1 else {
      throw TrainerViolation(
        """
        it rests on \(samples) examples: more than \(Int(1 / Self.uncountedWeight)) have to be announced under \
        'samples' in data.yml
        """
      )
    }
    return weight
  }
}
