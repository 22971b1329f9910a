import Testing

@testable import TesseraDeployment

/// What those who watch a job are told of what was before.
@Suite struct JobWatchersTests {
  private func reasons(_ watchers: JobWatchers) async -> [String] {
    let events = watchers.watch("job")
    watchers.end("job")
    var reasons: [String] = []
    for await news in events {
      if case .declined(_, let reason) = news.event { reasons.append(reason) }
    }
    return reasons
  }

  @Test func whoComesLaterIsToldWhatWas() async {
    let watchers = JobWatchers()
    watchers.begin("job")
    for number in 0..<3 { watchers.tell(.declined(site: "north", reason: "\(number)"), of: "job") }
    #expect(await reasons(watchers) == ["0", "1", "2"])
  }

  @Test func whoComesLaterIsToldHowFarARoundIsAndNotWhatLedToOneThatIsDone() async throws {
    let watchers = JobWatchers()
    watchers.begin("job")
    func news() async -> [JobEvent.Kind] {
      var kinds: [JobEvent.Kind] = []
      let events = watchers.watch("job")
      watchers.tell(.returned(site: "nobody"), of: "job")
      for await news in events {
        if case .returned(site: "nobody") = news.event { break }
        kinds.append(news.event.kind)
      }
      return kinds
    }
    watchers.tell(.asked(task: "train", round: 1, sites: ["north", "south"]), of: "job")
    for loss in [3.0, 2.0] {
      watchers.tell(
        .measured(.init(site: "north", round: 1, metrics: ["loss": loss])),
        of: "job"
      )
    }
    watchers.tell(.answered(site: "south", answers: 1), of: "job")
    #expect(await news() == [.asked, .answered, .measured])
    watchers.tell(.answered(site: "north", answers: 2), of: "job")
    watchers.tell(try JobEventTests.round(1), of: "job")
    #expect(await news() == [.roundFinished])
  }

  /// Where sites answer at their own pace, a round ends while others are at work.
  @Test func whoComesLaterIsToldWhatGoesOnBeyondARound() async throws {
    let watchers = JobWatchers()
    watchers.begin("job")
    watchers.tell(.asked(task: "train", round: 1, sites: ["north", "south"]), of: "job")
    for site in ["north", "south"] {
      watchers.tell(.measured(.init(site: site, round: 1, metrics: ["loss": 1])), of: "job")
    }
    watchers.tell(.answered(site: "south", answers: 1), of: "job")
    watchers.tell(try JobEventTests.round(1), of: "job")
    let events = watchers.watch("job")
    watchers.end("job")
    var told: [JobEvent] = []
    for await news in events { told.append(news.event) }
    #expect(
      told == [
        try JobEventTests.round(1), .asked(task: "train", round: 1, sites: ["north"]),
        .measured(.init(site: "north", round: 1, metrics: ["loss": 1])),
      ]
    )
  }

  /// From a list that is older than the end.
  @Test func whatIsToldAfterTheEndIsNotKept() async {
    let watchers = JobWatchers()
    watchers.begin("job")
    watchers.end("job")
    watchers.tell(.declined(site: "north", reason: "late"), of: "job")
    #expect(await reasons(watchers) == [])
    // Nor after somebody has looked at a job that does not run, and left.
    do { _ = watchers.watch("other") }
    watchers.tell(.declined(site: "north", reason: "late"), of: "other")
    let feed = watchers.watch("other")
    watchers.end("other")
    for await news in feed { Issue.record("\(news)") }
  }

  @Test func ofVeryMuchTheLastIsKept() async {
    let watchers = JobWatchers()
    watchers.begin("job")
    for number in 0..<9999 {
      watchers.tell(.declined(site: "north", reason: "\(number)"), of: "job")
    }
    let kept = await reasons(watchers)
    let most = JobWatchers.longestHistory
    #expect((most...most * 5 / 4).contains(kept.count) && kept.last == "9998")
    #expect(kept.first == "\(9999 - kept.count)")
  }
}
