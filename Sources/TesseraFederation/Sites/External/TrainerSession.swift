/// A trainer over a job: what follows from what happens to it.
///
/// Without clocks, sockets or processes: feed it events, and do what it returns, in order. Tasks are handed over one at a time, in
/// the order in which they came. A trainer that dies is started once more for the task that it had; a trainer that is told to end
/// is reminded by SIGTERM, and then by SIGKILL.
struct TrainerSession: Sendable {
  /// What happens.
  enum Event: Sendable {
    /// The site has a task.
    case asked(TrainerOrder.Task)
    /// Nobody waits for the answer to a task.
    case cancelled(Int)
    /// The job is over; at once, if it is urgent.
    case closing(isUrgent: Bool)
    /// A line has come from the trainer.
    case received([UInt8])
    /// What came from the trainer is no line, or its answer to a task was not what it should be.
    case violated(TrainerViolation, task: Int?)
    /// The trainer has closed its socket.
    case disconnected
    /// The trainer's process is gone.
    case exited(ProcessExit)
    /// There is no process.
    case startFailed(String)
    /// The time that was set is over.
    case alarmed
  }

  /// What is to be done.
  enum Action: Sendable {
    /// Start the program.
    case start
    /// Send a message.
    case send(TrainerOrder)
    /// Send a signal to the program and all that it has started.
    case signal(Signal)
    /// Say ``Event/alarmed`` after a time, in place of the time that was set before; never if `nil`.
    case setAlarm(Duration?)
    /// A task is done.
    case finish(task: Int, Outcome)
    /// The trainer is alive, at a task.
    case progressed(task: Int)
    /// Note a measurement.
    case log(name: String, value: Double, step: Int?, round: Int?)
    /// The trainer has measured something at a task.
    case measured(task: Int, TaskMeasurements)
    /// Note what the trainer has done, for the site's log.
    case note(String)
    /// Nothing more happens.
    case end
  }

  /// A signal to a process group.
  enum Signal: Sendable, Equatable { case terminate, kill }

  /// What became of a task.
  enum Outcome: Sendable, Equatable {
    case answered(TrainerAnswer)
    case refused(ReturnCode, reason: String?)
    case cancelled
    case failed(TrainerFailure.Kind, String)
  }

  /// How long a trainer that is aborted has before SIGTERM, and from there to SIGKILL: a second is the most in all.
  static let abortSteps: (Duration, Duration) = (.milliseconds(200), .milliseconds(400))
  /// The same at the end of a job, where programs may save what they like.
  static let endSteps: (Duration, Duration) = (.seconds(5), .seconds(1))
  /// How long a trainer that has closed its socket may take to end.
  static let deathStep = Duration.seconds(1)

  private enum Phase {
    /// There is no process.
    case absent
    /// The process has not said `hello`.
    case starting
    /// The process is at a task, or waits for one.
    case working
    /// The process is to end, or about to.
    case ending(Ending)
  }

  private struct Ending {
    enum Reason {
      /// By itself: its task is repeated.
      case death
      case abort
      case violation(TrainerViolation, task: Int?)
      case close
    }
    var reason: Reason
    /// SIGTERM comes next, and SIGKILL after this time; SIGKILL comes next if `nil`.
    var pause: Duration?
  }

  let welcome: TrainerOrder.Welcome
  private let endSteps: (Duration, Duration)
  private var phase = Phase.absent
  private var waiting: [TrainerOrder.Task] = []
  private var current: TrainerOrder.Task?
  private var isClosing = false

  /// A trainer that is not started yet.
  init(
    welcome: TrainerOrder.Welcome,
    endSteps: (Duration, Duration) = Self.endSteps
  ) {
    self.welcome = welcome
    self.endSteps = endSteps
  }

  /// What follows from an event.
  mutating func handle(_ event: Event) -> [Action] {
    switch event {
    case .asked(let task):
      waiting.append(task)
      return advance()
    case .cancelled(let id): return cancel(id)
    case .closing(let isUrgent): return close(isUrgent: isUrgent)
    case .received(let line): return receive(line)
    case .violated(let violation, let task): return violate(violation, task: task ?? current?.task)
    case .disconnected: return disconnect()
    case .exited(let exit): return leave(exit)
    case .startFailed(let reason):
      phase = .absent
      return fail(.notStarted, reason) + advance()
    case .alarmed: return escalate()
    }
  }

  /// Hands the next task over, if there is one and the trainer is free.
  private mutating func advance() -> [Action] {
    guard current == nil, !isClosing, !waiting.isEmpty else {
      if isClosing, case .absent = phase { return [.end] }
      return []
    }
    switch phase {
    case .absent:
      let task = waiting.removeFirst()
      current = task
      phase = .starting
      return [.start, .progressed(task: task.task)]
    case .working:
      let task = waiting.removeFirst()
      current = task
      return [.send(.task(task)), .progressed(task: task.task)]
    case .starting, .ending: return []
    }
  }

  private mutating func receive(_ line: [UInt8]) -> [Action] {
    let message: TrainerMessage
    switch phase {
    case .absent, .ending: return []
    case .starting, .working:
      do {
        message = try TrainerMessage(line: line)
      } catch {
        let violation = error as? TrainerViolation ?? TrainerViolation("a line cannot be read")
        return violate(violation, task: current?.task)
      }
    }
    let alive = current.map { [Action.progressed(task: $0.task)] } ?? []
    guard case .working = phase else { return greet(message) + alive }
    switch message {
    case .hello: return violate(TrainerViolation("'hello' comes twice"), task: current?.task)
    case .progress: return alive
    case .log(let name, let value, let step):
      let told = current.map {
        [Action.measured(task: $0.task, TaskMeasurements([name: value], step: step))]
      }
      return [.log(name: name, value: value, step: step, round: current?.round)] + alive
        + (told ?? [])
    case .answer(let answer): return finish(answer.task, .answered(answer))
    case .refusal(let task, let code, let reason):
      return finish(task, .refused(code, reason: reason))
    }
  }

  private mutating func greet(_ message: TrainerMessage) -> [Action] {
    guard case .hello(let versions) = message else {
      return violate(TrainerViolation("the first message is not 'hello'"), task: current?.task)
    }
    guard versions.contains(TrainerOrder.version) else {
      return violate(
        TrainerViolation("it does not speak version \(TrainerOrder.version) of the protocol"),
        task: current?.task
      )
    }
    phase = .working
    return [.send(.welcome(welcome))] + (current.map { [.send(.task($0))] } ?? [])
  }

  private mutating func finish(_ task: Int, _ outcome: Outcome) -> [Action] {
    guard let asked = current, asked.task == task else {
      return violate(
        TrainerViolation("it answers a task that it was not given"),
        task: current?.task
      )
    }
    current = nil
    return [.finish(task: task, outcome)] + advance()
  }

  private mutating func violate(_ violation: TrainerViolation, task: Int?) -> [Action] {
    switch phase {
    case .absent, .ending: return []
    case .starting, .working:
      phase = .ending(
        Ending(reason: .violation(violation, task: task), pause: Self.abortSteps.1)
      )
      return [.send(.error(message: violation.message)), .setAlarm(Self.abortSteps.0)]
    }
  }

  private mutating func cancel(_ id: Int) -> [Action] {
    if let position = waiting.firstIndex(where: { $0.task == id }) {
      waiting.remove(at: position)
      return [.finish(task: id, .cancelled)]
    }
    guard current?.task == id else { return [] }
    return abort("nobody waits for this task any more")
  }

  /// Ends the trainer at its task.
  private mutating func abort(_ reason: String) -> [Action] {
    switch phase {
    case .absent: return []
    case .starting, .working:
      phase = .ending(Ending(reason: .abort, pause: Self.abortSteps.1))
      return [.send(.abort(reason: reason)), .setAlarm(Self.abortSteps.0)]
    case .ending(let ending):
      switch (ending.reason, ending.pause) {
      case (.abort, _): return []
      case (.close, .some):
        // It was told to end, and had time to: it has none any more.
        phase = .ending(Ending(reason: .abort, pause: nil))
        return [.signal(.terminate), .setAlarm(Self.abortSteps.1)]
      default:
        // It is on its way, and nobody waits for why.
        phase = .ending(Ending(reason: .abort, pause: nil))
        return [.signal(.kill), .setAlarm(nil)]
      }
    }
  }

  private mutating func close(isUrgent: Bool) -> [Action] {
    isClosing = true
    let dropped = waiting.map { Action.finish(task: $0.task, .cancelled) }
    waiting = []
    switch phase {
    case .absent: return dropped + [.end]
    case .working where current == nil && !isUrgent:
      phase = .ending(Ending(reason: .close, pause: endSteps.1))
      return dropped + [.send(.end), .setAlarm(endSteps.0)]
    case .starting, .working: return dropped + abort("the job is over")
    case .ending: return dropped + (isUrgent ? abort("the job is over") : [])
    }
  }

  private mutating func disconnect() -> [Action] {
    switch phase {
    case .absent, .ending: return []
    case .starting, .working:
      phase = .ending(Ending(reason: .death, pause: nil))
      return [.setAlarm(Self.deathStep)]
    }
  }

  private mutating func escalate() -> [Action] {
    guard case .ending(var ending) = phase else { return [] }
    guard let pause = ending.pause else { return [.signal(.kill), .setAlarm(nil)] }
    ending.pause = nil
    phase = .ending(ending)
    return [.signal(.terminate), .setAlarm(pause)]
  }

  private mutating func leave(_ exit: ProcessExit) -> [Action] {
    let left = phase
    phase = .absent
    let quiet = Action.setAlarm(nil)
    guard let task = current else { return [quiet, .note("ended, \(exit)")] + advance() }
    switch left {
    case .ending(let ending):
      switch ending.reason {
      case .abort, .close:
        current = nil
        return [quiet, .finish(task: task.task, .cancelled)] + advance()
      case .violation(let violation, task.task):
        return [quiet] + fail(.violation, "broke the protocol: \(violation.message)") + advance()
      case .violation: return [quiet] + restart(task)
      case .death: break
      }
    case .absent, .starting, .working: break
    }
    guard task.attempt < 2 else {
      return [quiet, .note("ended again, \(exit)")]
        + fail(.died, "ended twice during one task, the last time with \(exit)") + advance()
    }
    var again = task
    again.attempt += 1
    return [quiet, .note("ended during a task, \(exit), and is started again")] + restart(again)
  }

  private mutating func restart(_ task: TrainerOrder.Task) -> [Action] {
    guard !isClosing else {
      current = nil
      return [.finish(task: task.task, .cancelled)] + advance()
    }
    current = task
    phase = .starting
    return [.start, .progressed(task: task.task)]
  }

  private mutating func fail(_ kind: TrainerFailure.Kind, _ message: String) -> [Action] {
    guard let task = current else { return [] }
    current = nil
    return [.finish(task: task.task, .failed(kind, message))]
  }
}
