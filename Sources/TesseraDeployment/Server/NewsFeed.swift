internal import Synchronization

/// News of a job for one who watches it: the first at once, and then not more often than one can look.
///
/// What comes meanwhile comes together, without what is old by then: of a round that has ended, who was asked and who has answered;
/// of contents on their way, how far they were. So watching costs a job whose rounds take milliseconds next to nothing.
public struct NewsFeed: AsyncSequence, Sendable {
  /// How often there is something at most.
  static let interval = Duration.milliseconds(50)
  /// How many news may wait for one who does not read; then the oldest go.
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
    reader = Reader(queue: Queue(news), didLeave: {})
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

    fileprivate init(_ news: [JobNews] = []) {
      waiting = Mutex(news)
      (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds an event.
    func add(_ news: JobNews) {
      waiting.withLock { waiting in
        switch news.event {
        case .roundFinished:
          waiting.removeAll {
            switch $0.event {
            case .asked, .answered, .measured, .transferring: true
            default: false
            }
          }
        case .transferring:
          waiting.removeAll { if case .transferring = $0.event { true } else { false } }
        case .measured(let measurement):
          // Of each site the last.
          waiting.removeAll {
            if case .measured(let earlier) = $0.event {
              earlier.site == measurement.site
            } else {
              false
            }
          }
        default: break
        }
        if waiting.count >= NewsFeed.backlog { waiting.removeFirst(NewsFeed.backlog / 4) }
        waiting.append(news)
      }
      signal.yield()
    }

    /// There is no more.
    func finish() { signal.finish() }

    fileprivate func take() -> [JobNews] {
      waiting.withLock { waiting in
        defer { waiting = [] }
        return waiting
      }
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
