internal import Synchronization
internal import TesseraCore

/// Where usable answers go.
protocol AnswerSink: Sendable {
  /// Takes an answer and says with which weight, or refuses it.
  mutating func take(_ answer: Exchange, from site: Site) throws -> Double
}

/// An answer that has passed the server's filters, with what travelled of it.
struct Received: Sendable {
  var answer: Exchange
  var traffic = Traffic()
}

/// What became of an answer.
private enum Receipt {
  case accepted(Contribution, Int, Received)
  case refused(Refusal)
  /// Nobody waits for it any longer, and that has been said.
  case ignored
}

/// Takes the answers to one task as they arrive, from any thread, and feeds the ``Gathering``.
final class AnswerCollector<Sink: AnswerSink>: Sendable {
  struct State: Sendable {
    var gathering: Gathering
    var sink: Sink
    var contributions: [Contribution] = []
    var refusals: [Refusal] = []
    var traffic = Traffic()
    var answers = 0
    /// Why there are not enough answers, if so.
    var failure: String?
    /// What kept an answer from being kept that is no fault of its site: no room on this machine's disk.
    var fault: TensorError?
    /// The sites that are not waited for any longer.
    var givenUp: Set<Int> = []
    /// What those who listen have still to be told.
    var news: [Refusal] = []
  }

  /// What the shell around the collector has to do.
  enum Request: Sendable {
    case wake(at: Duration)
    case stop
  }

  let requests: AsyncStream<Request>
  private let sites: [Int: Site]
  private let task: TaskName
  private let state: Mutex<State>
  private let request: AsyncStream<Request>.Continuation
  private let now: @Sendable () -> Duration
  private let accepted: @Sendable (Contribution, _ answers: Int, Received) -> Void
  private let refused: @Sendable (Refusal) -> Void

  init(
    asking sites: [Site],
    for task: TaskName,
    quorum: Quorum,
    into sink: Sink,
    now: @escaping @Sendable () -> Duration,
    accepted: @escaping @Sendable (Contribution, _ answers: Int, Received) -> Void,
    refused: @escaping @Sendable (Refusal) -> Void
  ) {
    self.sites = Dictionary(sites.map { ($0.index, $0) }) { first, _ in first }
    (requests, request) = AsyncStream.makeStream()
    self.task = task
    self.now = now
    self.accepted = accepted
    self.refused = refused
    var gathering = Gathering(for: sites, quorum: quorum, at: now())
    let actions = gathering.start(at: now())
    state = Mutex(State(gathering: gathering, sink: sink))
    state.withLock { obey(actions, &$0) }
  }

  func progressed(_ site: Site) { handle(.progressed(site: site.index)) }
  func waiting(_ site: Site) { handle(.waiting(site: site.index)) }
  func woke() { handle(.woke) }
  /// No more answers can come.
  func close() {
    handle(.closed)
    request.yield(.stop)
  }

  func receive(_ result: Result<Received, any Error>, from site: Site) {
    let outcome: Receipt = state.withLock { state in
      // Before anything is folded: no site counts twice, and none that was not asked.
      guard state.gathering.isWaiting(for: site.index) else {
        if state.givenUp.contains(site.index) { return .ignored }
        let reason = "\(site.name): it has answered already, was not asked, or came too late"
        let refusal = Refusal(site: site, reason: reason)
        state.refusals.append(refusal)
        return .refused(refusal)
      }
      let time = now()
      do {
        let received = try result.get()
        let answer = received.answer
        guard answer.returnCode == .ok else {
          throw FederationError(
            code: .rejectedUpdate,
            message: answer.reason ?? "it answered '\(answer.returnCode.rawValue)'"
          )
        }
        state.traffic += received.traffic
        let weight: Double
        do { weight = try state.sink.take(answer, from: site) } catch let error as TensorError
          where error.code == .fileSystem
        {
          state.fault = error
          request.yield(.stop)
          return .ignored
        }
        let contribution = Contribution(
          site: site,
          weight: weight,
          // Records are JSON, which has no NaN; a model is not worth less for an odd measurement.
          metrics: answer.metrics.filter(\.value.isFinite),
          task: task
        )
        state.contributions.append(contribution)
        state.answers += 1
        obey(state.gathering.handle(.accepted(site: site.index), at: time), &state)
        return .accepted(contribution, state.answers, received)
      } catch {
        var reason = "\(error)"
        if !reason.hasPrefix(site.name) { reason = "\(site.name): \(reason)" }
        let refusal = Refusal(site: site, reason: reason)
        state.refusals.append(refusal)
        state.answers += 1
        let event = Gathering.Event.refused(site: site.index, reason: refusal.reason)
        obey(state.gathering.handle(event, at: time), &state)
        return .refused(refusal)
      }
    }
    switch outcome {
    case .accepted(let contribution, let answers, let received):
      accepted(contribution, answers, received)
    case .refused(let refusal): refused(refusal)
    case .ignored: break
    }
    tell()
  }

  /// What came of it, in the order of the sites, whatever the order of the answers.
  func outcome() -> State {
    var state = state.withLock { $0 }
    state.contributions.sort { $0.index < $1.index }
    state.refusals.sort { ($0.index, $0.reason) < ($1.index, $1.reason) }
    return state
  }

  private func handle(_ event: Gathering.Event) {
    let time = now()
    state.withLock { obey($0.gathering.handle(event, at: time), &$0) }
    tell()
  }

  /// Tells of the sites that were given up, outside of the lock.
  private func tell() {
    let news = state.withLock { state in
      defer { state.news = [] }
      return state.news
    }
    for refusal in news { refused(refusal) }
  }

  private func obey(_ actions: [Gathering.Action], _ state: inout State) {
    for action in actions {
      switch action {
      case .wake(let time): request.yield(.wake(at: time))
      case .giveUp(let site, let reason):
        guard let site = sites[site] else { continue }
        let refusal = Refusal(site: site, reason: reason)
        state.givenUp.insert(site.index)
        state.refusals.append(refusal)
        state.news.append(refusal)
      case .finish: request.yield(.stop)
      case .abandon(let reason):
        state.failure = reason
        request.yield(.stop)
      }
    }
  }
}
