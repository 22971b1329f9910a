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
