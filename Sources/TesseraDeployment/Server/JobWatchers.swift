internal import Synchronization

/// Those who watch jobs, and what they have missed.
final class JobWatchers: Sendable {
  private struct Watched: Sendable {
    /// Rounds that are done, and who does not take part.
    var history: [JobNews] = []
    /// What is known of the round that goes on.
    var round = OpenRound()
    /// The sites that are away.
    var away: [String: JobNews] = [:]
    var watchers: [Int: NewsFeed.Queue] = [:]

    mutating func keep(_ news: JobNews, atMost limit: Int) {
      history.append(news)
      // A quarter at a time: what is in front is moved for each that goes.
      if history.count > limit * 5 / 4 { history.removeFirst(history.count - limit) }
    }

    var story: [JobNews] {
      history + away.values.sorted { $0.time < $1.time } + round.news
    }
  }
  private struct State: Sendable {
    var jobs: [String: Watched] = [:]
    var nextWatcher = 0
  }
  private let state = Mutex(State())

  /// How many events of a job are kept for who comes later: the last ones, and `show` knows all.
  static let longestHistory = 1000

  /// Tells the watchers of a job.
  func tell(_ event: JobEvent, of job: String) {
    let news = JobNews(event)
    state.withLock { state in
      // What a round was like is kept for who comes later; what led to it, as long as the round lasts.
      switch event {
      case .roundFinished:
        state.jobs[job, default: Watched()].keep(news, atMost: Self.longestHistory)
        state.jobs[job]?.round = OpenRound()
      case .declined:
        state.jobs[job, default: Watched()].keep(news, atMost: Self.longestHistory)
      case .away(let site): state.jobs[job, default: Watched()].away[site.site] = news
      case .returned(let site): state.jobs[job]?.away[site] = nil
      case .asked, .answered, .refused, .measured:
        state.jobs[job, default: Watched()].round.note(news)
      case .changed, .waiting, .transferring, .serverLost, .serverFound: break
      }
      for watcher in state.jobs[job]?.watchers.values.map({ $0 }) ?? [] { watcher.add(news) }
    }
  }

  /// Tells the rounds that were done before, in another process or before a pause, but for those that were told already.
  func resume(after rounds: [JobEvent.RoundSummary], of job: String) {
    let told = state.withLock { state in
      state.jobs[job]?.history.reversed().lazy.compactMap { news -> Int? in
        if case .roundFinished(let round) = news.event { round.round } else { nil }
      }.first ?? 0
    }
    for round in rounds where round.round > told { tell(.roundFinished(round), of: job) }
  }

  /// What happens to a job from now on, after what has happened.
  ///
  /// - Parameters:
  ///   - job: The job's id.
  ///   - first: What the watcher is told before all else.
  /// - Returns: News, to the end of the job.
  func watch(_ job: String, after first: [JobEvent]) -> NewsFeed {
    state.withLock { state in
      let number = state.nextWatcher
      state.nextWatcher += 1
      let feed = NewsFeed { [weak self] in self?.forget(number, of: job) }
      for event in first { feed.source.add(JobNews(event)) }
      for news in state.jobs[job]?.story ?? [] { feed.source.add(news) }
      state.jobs[job, default: Watched()].watchers[number] = feed.source
      return feed
    }
  }

  /// Whether anybody watches a job.
  func areThere(for job: String) -> Bool {
    state.withLock { $0.jobs[job]?.watchers.isEmpty == false }
  }

  private func forget(_ number: Int, of job: String) {
    state.withLock { $0.jobs[job]?.watchers[number] = nil }
  }

  /// The job is over: its watchers have seen all.
  func end(_ job: String) {
    let watched = state.withLock { $0.jobs.removeValue(forKey: job) }
    for watcher in watched?.watchers.values.map({ $0 }) ?? [] { watcher.finish() }
  }

  /// The server ends: nobody sees more.
  func endAll() {
    let all = state.withLock { state in
      defer { state.jobs = [:] }
      return state.jobs.values.flatMap(\.watchers.values)
    }
    for watcher in all { watcher.finish() }
  }
}

/// What is known of a round that goes on: who was asked, and what has come of it.
private struct OpenRound: Sendable {
  private var events: [JobNews] = []
  /// The last measurement of each site.
  private var measured: [String: JobNews] = [:]

  /// Where tasks are given one after the other without rounds, no more is kept than is worth showing.
  private static let limit = 1024

  mutating func note(_ news: JobNews) {
    if case .measured(let measurement) = news.event {
      measured[measurement.site] = news
      return
    }
    events.append(news)
    if events.count > Self.limit { events.removeFirst(Self.limit / 2) }
  }

  var news: [JobNews] { events + measured.values.sorted { $0.time < $1.time } }
}
