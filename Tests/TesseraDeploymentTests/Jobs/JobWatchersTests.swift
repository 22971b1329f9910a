import Testing

@testable import TesseraDeployment

/// What those who watch a job are told of what was before.
@Suite struct JobWatchersTests {
  private func reasons(_ watchers: JobWatchers) async -> [String] {
    let events = watchers.watch("job", after: [])
    watchers.end("job")
    var reasons: [String] = []
    for await news in events {
      if case .declined(_, let reason) = news.event { reasons.append(reason) }
    }
    return reasons
  }

  @Test func whoComesLaterIsToldWhatWas() async {
    let watchers = JobWatchers()
    for number in 0..<3 { watchers.tell(.declined(site: "north", reason: "\(number)"), of: "job") }
    #expect(await reasons(watchers) == ["0", "1", "2"])
  }

  @Test func whoComesLaterIsToldHowFarARoundIsAndNotWhatLedToOneThatIsDone() async throws {
    let watchers = JobWatchers()
    func news() async -> [JobEvent.Kind] {
      var kinds: [JobEvent.Kind] = []
      let events = watchers.watch("job", after: [])
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
    watchers.tell(try JobEventTests.round(1), of: "job")
    #expect(await news() == [.roundFinished])
  }

  @Test func ofVeryMuchTheLastIsKept() async {
    let watchers = JobWatchers()
    for number in 0..<9999 {
      watchers.tell(.declined(site: "north", reason: "\(number)"), of: "job")
    }
    let kept = await reasons(watchers)
    let most = JobWatchers.longestHistory
    #expect((most...most * 5 / 4).contains(kept.count) && kept.last == "9998")
    #expect(kept.first == "\(9999 - kept.count)")
  }
}
