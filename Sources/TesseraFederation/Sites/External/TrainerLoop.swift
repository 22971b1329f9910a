internal import Foundation
internal import Glibc
internal import SystemPackage

/// What a trainer's thread does: it waits, and obeys the session.
final class TrainerLoop {
  private let program: TrainerProgram
  private let welcome: TrainerOrder.Welcome
  private let logs: FilePath
  private let folder: TrainerFolder
  private let mailbox: TrainerMailbox
  private var session: TrainerSession
  private var socket = TrainerSocket()
  private var process: TrainerProcess?
  private var log: TrainerLog?
  private var alarm: ContinuousClock.Instant?
  private var isOver = false

  init(
    _ program: TrainerProgram,
    _ session: TrainerSession,
    logs: FilePath?,
    folder: TrainerFolder,
    mailbox: TrainerMailbox
  ) {
    self.program = program
    welcome = session.welcome
    self.logs = logs ?? folder.path.appending("logs")
    self.folder = folder
    self.mailbox = mailbox
    self.session = session
  }

  /// Works until the session ends.
  func run() {
    while !isOver {
      wait()
      for letter in mailbox.take() {
        switch letter {
        case .event(let event): obey(event)
        case .ended(let id): collect(id)
        }
      }
      if let alarm, alarm <= .now {
        self.alarm = nil
        obey(.alarmed)
      }
    }
    socket.hangUp()
    log = nil
    folder.remove()
    mailbox.close()
  }

  /// Waits for whatever comes first, and takes what came through the socket.
  private func wait() {
    let events = POLLIN | (socket.listener < 0 && socket.hasOutgoing ? POLLOUT : 0)
    // What is not there is left out by its number, -1.
    var polled = [
      pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: log?.source ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(
        fd: socket.listener >= 0 ? socket.listener : socket.connection,
        events: Int16(events),
        revents: 0
      ),
    ]
    guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return }
    if polled[1].revents != 0 { log?.listen() }
    let happened = Int32(polled[2].revents)
    guard happened != 0 else { return }
    if socket.listener >= 0 {
      socket.accept()
    } else {
      if happened & POLLOUT != 0 { socket.send() }
      if happened & ~POLLOUT != 0 { read() }
    }
  }

  /// How long until the alarm, for `poll`.
  private var milliseconds: Int32 {
    guard let alarm else { return -1 }
    let (seconds, attoseconds) = (alarm - .now).components
    return Int32(clamping: max(0, seconds * 1000 + attoseconds / 1_000_000_000_000_000 + 1))
  }

  /// Takes what has come.
  ///
  /// - Returns: Whether more may come at once.
  @discardableResult
  private func read() -> Bool {
    do {
      switch try socket.read() {
      case .lines(let lines):
        for line in lines { obey(.received(line)) }
        return true
      case .nothing: return false
      case .end:
        socket.hangUp()
        obey(.disconnected)
        return false
      }
    } catch {
      obey(.violated(error as? TrainerViolation ?? TrainerViolation("cannot be read"), task: nil))
      return true
    }
  }

  private func obey(_ event: TrainerSession.Event) {
    for action in session.handle(event) { carryOut(action) }
  }

  private func carryOut(_ action: TrainerSession.Action) {
    switch action {
    case .start: start()
    case .send(let order): send(order)
    case .signal(let signal): process?.signal(signal == .kill ? SIGKILL : SIGTERM)
    case .setAlarm(let pause): alarm = pause.map { .now + $0 }
    case .finish(let task, let outcome): finish(task, outcome)
    case .progressed(let task): mailbox.progress(task)
    case .log(let name, let value, let step, let round):
      log?.log(name: name, value: value, step: step, round: round)
    case .measured(let task, let measurements): mailbox.measured(measurements, at: task)
    case .note(let text): log?.note(text)
    case .end: isOver = true
    }
  }

  private func start() {
    do {
      let log = try log ?? TrainerLog(in: logs, name: welcome.site)
      self.log = log
      try socket.listen(at: folder.socket)
      var variables = ["TESSERA_SOCKET": folder.socket.string]
      if let data = welcome.data { variables["TESSERA_DATA"] = data }
      log.note("starts \(program.command.joined(separator: " "))")
      let process = try log.begin {
        try TrainerProcess(program, variables: variables, log: $0)
      }
      self.process = process
      let (id, mailbox) = (process.id, mailbox)
      // Who waits for a process can wait for nothing else.
      let waiter = Thread {
        TrainerProcess.waitForEnd(of: id)
        mailbox.post(.ended(id))
      }
      waiter.name = "tessera.waiter"
      waiter.start()
    } catch {
      socket.hangUp()
      let reason = (error as? FederationError)?.message ?? (error as? Errno).map { "\($0)" }
      obey(.startFailed("cannot be started: \(reason ?? "its log cannot be written")"))
    }
  }

  /// Sees off a process that has ended, with all that it has started.
  private func collect(_ id: pid_t) {
    guard let process, process.id == id else { return }
    // What it has said before it ended still counts; what its heirs say without end does not.
    var rest = 4 * TrainerMessage.longestLine >> 16
    while socket.connection >= 0, rest > 0, read() { rest -= 1 }
    log?.listen()
    let exit = process.reap()
    self.process = nil
    socket.hangUp()
    obey(.exited(exit))
  }

  private func send(_ order: TrainerOrder) {
    do {
      socket.send(try order.line())
    } catch {
      // No message of ours fails to be JSON; a trainer that waits for it is as good as dead.
      process?.signal(SIGKILL)
    }
  }

  private func finish(_ task: Int, _ outcome: TrainerSession.Outcome) {
    switch outcome {
    case .answered, .refused: mailbox.finish(task, .success(outcome))
    case .cancelled: mailbox.finish(task, .failure(CancellationError()))
    case .failed(let kind, let message):
      let failure = TrainerFailure(
        kind: kind,
        site: welcome.site,
        message: message,
        lines: kind == .notStarted ? [] : log?.lastLines() ?? []
      )
      log?.note("fails: \(failure.shown)")
      mailbox.finish(task, .failure(failure))
    }
  }
}
