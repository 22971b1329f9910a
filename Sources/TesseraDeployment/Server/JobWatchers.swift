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
    /// Whether it is carried out: what happens to it is kept, also when nobody watches.
    var hasBegun = false

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

  /// What happens to a job from now on is kept for who comes later, until it ends.
  func begin(_ job: String) {
    state.withLock { $0.jobs[job, default: Watched()].hasBegun = true }
  }

  /// Tells the watchers of a job; nobody, and nothing is kept, if it has not begun or is over.
  func tell(_ event: JobEvent, of job: String) {
    let news = JobNews(event)
    state.withLock { state in
      guard state.jobs[job] != nil else { return }
      // What a round was like is kept for who comes later; what led to it, as long as the round lasts.
      switch event {
      case .roundFinished:
        state.jobs[job]?.keep(news, atMost: Self.longestHistory)
        state.jobs[job]?.round.end(news)
      case .declined: state.jobs[job]?.keep(news, atMost: Self.longestHistory)
      case .away(let site): state.jobs[job]?.away[site.site] = news
      case .returned(let site): state.jobs[job]?.away[site] = nil
      case .asked, .answered, .refused, .measured: state.jobs[job]?.round.note(news)
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
  /// - Parameter job: The job's id.
  /// - Returns: News, to the end of the job.
  func watch(_ job: String) -> NewsFeed {
    state.withLock { state in
      let number = state.nextWatcher
      state.nextWatcher += 1
      let feed = NewsFeed { [weak self] in self?.forget(number, of: job) }
      feed.source.begin(with: state.jobs[job]?.story ?? [])
      state.jobs[job, default: Watched()].watchers[number] = feed.source
      return feed
    }
  }

  /// Whether anybody watches a job.
  func areThere(for job: String) -> Bool {
    state.withLock { $0.jobs[job]?.watchers.isEmpty == false }
  }

  private func forget(_ number: Int, of job: String) {
    state.withLock { state in
      state.jobs[job]?.watchers[number] = nil
      if let watched = state.jobs[job], !watched.hasBegun, watched.watchers.isEmpty {
        state.jobs[job] = nil
      }
    }
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

  /// The round is done: what is left are tasks that go on beyond it, as where sites answer at their own pace.
  mutating func end(_ round: JobNews) {
    // Whether a site has answered since it measured something, the order says.
    let inOrder = (measured.values + events).enumerated().sorted {
      ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
    }.map(\.element)
    let rest = JobNews.withoutTheOld(inOrder + [round]).dropLast().filter {
      if case .refused = $0.event { false } else { true }
    }
    (events, measured) = ([], [:])
    for news in rest { note(news) }
  }

  var news: [JobNews] { events + measured.values.sorted { $0.time < $1.time } }
}
