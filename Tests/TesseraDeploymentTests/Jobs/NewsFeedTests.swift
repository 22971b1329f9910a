import TesseraFederation
import Testing

@testable import TesseraDeployment

/// What one who watches is told, and what is left out because it is old by then.
@Suite struct NewsFeedTests {
  private func round(_ number: Int) throws -> JobEvent { try JobEventTests.round(number) }

  @Test func theFirstIsThereAtOnceAndNothingElseIsNeeded() async {
    let feed = NewsFeed()
    var news = feed.makeAsyncIterator()
    feed.source.add(JobNews(.returned(site: "north")))
    #expect(await news.next()?.event == .returned(site: "north"))
    feed.source.finish()
    #expect(await news.next() == nil)
  }

  @Test func whatLedToARoundThatIsDoneIsLeftOutAndAllElseIsTold() async throws {
    let feed = NewsFeed()
    for number in 1...3 {
      feed.source.add(JobNews(.asked(task: "train", round: number, sites: ["north", "south"])))
      feed.source.add(JobNews(.refused(site: "south", reason: "round \(number)")))
      feed.source.add(
        JobNews(.measured(.init(site: "north", round: number, metrics: ["loss": 1])))
      )
      feed.source.add(JobNews(.answered(site: "north", answers: 1)))
      if number < 3 { feed.source.add(JobNews(try round(number))) }
    }
    feed.source.finish()
    var kinds: [JobEvent.Kind] = []
    for await news in feed { kinds.append(news.event.kind) }
    #expect(
      kinds == [
        .refused, .roundFinished, .refused, .roundFinished, .asked, .refused, .measured, .answered,
      ]
    )
  }

  @Test func ofTransfersTheLastIsTold() async {
    let feed = NewsFeed()
    for bytes in 1...5 {
      let transfer = JobEvent.Transfer(site: "north", direction: .up, bytes: bytes, total: 5)
      feed.source.add(JobNews(.transferring([transfer])))
    }
    feed.source.finish()
    var bytes: [Int] = []
    for await news in feed {
      if case .transferring(let all) = news.event { bytes += all.map(\.bytes) }
    }
    #expect(bytes == [5])
  }

  /// What has arrived is told once, and what is told after it is of others.
  @Test func ofTransfersOfSeveralSitesTheLastOfEachIsTold() async {
    let feed = NewsFeed()
    func tell(_ site: String, _ direction: TransferProgress.Direction, _ bytes: Int) {
      let transfer = JobEvent.Transfer(site: site, direction: direction, bytes: bytes, total: 9)
      feed.source.add(JobNews(.transferring([transfer])))
    }
    tell("north", .up, 4)
    tell("north", .up, 9)
    tell("north", .down, 3)
    tell("south", .up, 5)
    feed.source.finish()
    var told: [String] = []
    for await news in feed {
      guard case .transferring(let all) = news.event else { continue }
      told.append(
        all.map { "\($0.site) \($0.direction.rawValue) \($0.bytes)" }.joined(separator: ", ")
      )
    }
    #expect(told == ["north down 3, north up 9, south up 5"])
  }

  @Test func whoIsAskedBeyondARoundIsTold() async throws {
    let feed = NewsFeed()
    feed.source.add(JobNews(.asked(task: "train", round: 1, sites: ["north", "south"])))
    feed.source.add(JobNews(.answered(site: "south", answers: 1)))
    feed.source.add(JobNews(.asked(task: "train", round: 1, sites: ["south"])))
    feed.source.add(JobNews(try round(1)))
    feed.source.finish()
    var told: [JobEvent] = []
    for await news in feed { told.append(news.event) }
    #expect(
      told == [
        .asked(task: "train", round: 1, sites: ["north"]),
        .asked(task: "train", round: 1, sites: ["south"]), try round(1),
      ]
    )
  }

  /// One site that says much takes nobody else's place.
  @Test func ofVeryMuchTheDetailsGoFirst() async throws {
    let feed = NewsFeed()
    feed.source.add(JobNews(.declined(site: "south", reason: "no data")))
    feed.source.add(JobNews(try round(1)))
    for number in 0..<100_000 {
      feed.source.add(JobNews(.refused(site: "north", reason: "\(number)")))
    }
    feed.source.finish()
    var told: [JobEvent] = []
    for await news in feed { told.append(news.event) }
    #expect(told.count < 5000)
    #expect(try told.prefix(2) == [.declined(site: "south", reason: "no data"), round(1)])
    #expect(told.last == .refused(site: "north", reason: "99999"))
  }

  @Test func theLastNewsOfAJobAreToldWhenItEnds() async throws {
    let feed = NewsFeed()
    let reading = Task {
      var rounds = 0
      for await news in feed { if case .roundFinished = news.event { rounds += 1 } }
      return rounds
    }
    for number in 1...1000 { feed.source.add(JobNews(try round(number))) }
    feed.source.finish()
    #expect(await reading.value == 1000)
  }

  @Test func aReaderWhoIsCancelledStops() async {
    let feed = NewsFeed()
    let reading = Task { for await _ in feed {} }
    reading.cancel()
    await reading.value
  }

  @Test func whoDoesNotReadIsToldTheLastNews() async {
    let feed = NewsFeed()
    for number in 0..<10_000 {
      feed.source.add(JobNews(.declined(site: "north", reason: "\(number)")))
    }
    feed.source.finish()
    var count = 0
    var last: JobEvent?
    for await news in feed { (count, last) = (count + 1, news.event) }
    #expect(count < 5000 && last == .declined(site: "north", reason: "9999"))
  }

  @Test func thatNobodyReadsIsNoted() async {
    let (left, leave) = AsyncStream<Void>.makeStream()
    var feed: NewsFeed? = NewsFeed { leave.finish() }
    let source = feed?.source
    feed = nil
    for await _ in left {}
    source?.add(JobNews(.returned(site: "north")))
  }
}
