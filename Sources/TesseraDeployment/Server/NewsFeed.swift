internal import Synchronization

/// News of a job for one who watches it: the first at once, and then not more often than one can look.
///
/// What comes meanwhile comes together, without what is old by then (``JobNews/withoutTheOld(_:)``). So watching costs a job whose
/// rounds take milliseconds next to nothing.
public struct NewsFeed: AsyncSequence, Sendable {
  /// How often there is something at most.
  static let interval = Duration.milliseconds(50)
  /// How many news may wait for one who does not read; then the oldest go, and what rounds are like before what jobs come to.
  private static let backlog = 4096

  private let reader: Reader

  /// A feed that ``add(_:)`` fills.
  ///
  /// - Parameter didLeave: Is called when nobody reads it any more.
  init(didLeave: @escaping @Sendable () -> Void = {}) {
    reader = Reader(queue: Queue(), didLeave: didLeave)
  }

  /// A feed of what has happened, which is over.
  init(_ news: [JobNews]) {
    reader = Reader(queue: Queue(), didLeave: {})
    source.begin(with: news)
    source.finish()
  }

  /// Where the feed is filled; it does not keep the reader.
  var source: Queue { reader.queue }

  /// Begins to read; one reader sees all.
  public func makeAsyncIterator() -> Iterator { Iterator(reader) }

  /// Reads a feed.
  public struct Iterator: AsyncIteratorProtocol {
    private let reader: Reader
    private var signals: AsyncStream<Void>.Iterator
    private var batch: ArraySlice<JobNews> = []
    private var last: ContinuousClock.Instant?

    fileprivate init(_ reader: Reader) {
      self.reader = reader
      signals = reader.queue.signals.makeAsyncIterator()
    }

    /// What has happened by now, oldest first, without waiting for anything.
    mutating func takeWaiting() -> [JobNews] {
      defer { batch = [] }
      return Array(batch) + reader.queue.take()
    }

    /// The next event; `nil` at the job's end, or when the task is cancelled.
    public mutating func next() async -> JobNews? { await next(isolation: #isolation) }

    /// The next event; `nil` at the job's end, or when the task is cancelled.
    public mutating func next(isolation actor: isolated (any Actor)?) async -> JobNews? {
      if let news = batch.popFirst() { return news }
      if let last {
        try? await ContinuousClock().sleep(until: last + NewsFeed.interval)
      }
      while batch.isEmpty {
        batch = reader.queue.take()[...]
        if batch.isEmpty, await signals.next(isolation: actor) == nil {
          // It has ended, perhaps with something that came just before.
          batch = reader.queue.take()[...]
          break
        }
      }
      last = .now
      return batch.popFirst()
    }
  }

  /// What waits for the reader.
  final class Queue: Sendable {
    fileprivate let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let waiting: Mutex<[JobNews]>

    fileprivate init() {
      waiting = Mutex([])
      (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds an event, whoever reads or does not: what is old is left out when it is read.
    func add(_ news: JobNews) {
      waiting.withLock { waiting in
        if waiting.count >= NewsFeed.backlog { Self.makeRoom(in: &waiting) }
        waiting.append(news)
      }
      signal.yield()
    }

    /// Puts before all else what had happened before.
    func begin(with news: [JobNews]) {
      waiting.withLock { $0.insert(contentsOf: news, at: 0) }
      signal.yield()
    }

    /// Makes room for a quarter of the backlog at least, so that this comes rarely.
    private static func makeRoom(in waiting: inout [JobNews]) {
      let most = NewsFeed.backlog * 3 / 4
      waiting = JobNews.withoutTheOld(waiting)
      var surplus = waiting.count - most
      guard surplus > 0 else { return }
      waiting = waiting.filter { news in
        guard surplus > 0, news.event.isDetail else { return true }
        surplus -= 1
        return false
      }
      if surplus > 0 { waiting.removeFirst(surplus) }
    }

    /// There is no more.
    func finish() { signal.finish() }

    fileprivate func take() -> [JobNews] {
      let news = waiting.withLock { waiting in
        defer { waiting = [] }
        return waiting
      }
      return JobNews.withoutTheOld(news)
    }
  }

  /// Keeps a feed open as long as there is somebody to read it.
  fileprivate final class Reader: Sendable {
    let queue: Queue
    private let didLeave: @Sendable () -> Void

    init(queue: Queue, didLeave: @escaping @Sendable () -> Void) {
      self.queue = queue
      self.didLeave = didLeave
    }

    deinit { didLeave() }
  }
}
