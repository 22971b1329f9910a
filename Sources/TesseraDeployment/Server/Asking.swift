internal import Synchronization
internal import TesseraCore
internal import TesseraFederation

extension SiteNetwork {
  /// Asks sites for something outside of a job's rounds, and waits as for all else: a sign of life sets a site's clock back.
  ///
  /// Each has a clock of its own: one that says nothing is waited for no longer because others do.
  ///
  /// - Parameters:
  ///   - task: What is asked.
  ///   - step: The task's number.
  ///   - data: What is sent.
  ///   - job: The job that it belongs to.
  ///   - sites: Who is asked.
  ///   - patience: How long a site may say nothing.
  ///   - observer: Is told what travels.
  /// - Returns: What each site answered, by its index.
  /// - Throws: `CancellationError` if the current task was cancelled.
  func ask(
    _ task: TaskName,
    step: Int,
    data: Exchange,
    of job: String,
    _ sites: [Site],
    patience: Duration,
    observer: (any TransferObserver)? = nil
  ) async throws -> [Int: Result<Exchange, any Error>] {
    let transport = transport(of: job, to: sites, observer: observer, answers: .lines)
    let tasks = sites.map {
      SiteTask(
        step: step,
        name: task,
        round: 0,
        site: $0,
        data: data,
        key: RandomKey(seed: 0)
      )
    }
    let asked = Asked(sites)
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await transport.ask(tasks) { event in
          asked.state.withLock { state in
            switch event {
            case .waiting(let site), .progressed(let site):
              if state.last[site.index] != nil { state.last[site.index] = .now }
            case .answered(let site, let result):
              state.last[site.index] = nil
              state.answers[site.index] = result
            }
          }
        }
      }
      group.addTask {
        while let last = asked.state.withLock({ state in
          // Who is silent for too long is waited for no longer.
          state.last = state.last.filter { .now < $0.value + patience }
          return state.last.values.min()
        }) {
          do { try await ContinuousClock().sleep(until: last + patience) } catch { return }
        }
      }
      await group.next()
      group.cancelAll()
    }
    try Task.checkCancellation()
    var answers = asked.state.withLock { $0.answers }
    for site in sites where answers[site.index] == nil {
      answers[site.index] = .failure(
        DeploymentError(
          code: .unavailable,
          message: "\(site.name) has said nothing for \(patience)"
        )
      )
    }
    return answers
  }
}

/// What has come of a question.
private final class Asked: Sendable {
  struct State: Sendable {
    var answers: [Int: Result<Exchange, any Error>] = [:]
    /// When those that have not answered said something last.
    var last: [Int: ContinuousClock.Instant]
  }
  let state: Mutex<State>

  init(_ sites: [Site]) {
    let now = ContinuousClock.now
    state = Mutex(State(last: Dictionary(sites.map { ($0.index, now) }) { $1 }))
  }
}
