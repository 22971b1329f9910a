import Testing

@testable import TesseraDeployment

/// What those who watch a job are told of what was before.
@Suite struct JobWatchersTests {
  private func reasons(_ watchers: JobWatchers) async -> [String] {
    let events = watchers.watch("job", after: [])
    watchers.end("job")
    var reasons: [String] = []
    for await event in events {
      if case .declined(_, let reason) = event { reasons.append(reason) }
    }
    return reasons
  }

  @Test func whoComesLaterIsToldWhatWas() async {
    let watchers = JobWatchers()
    for number in 0..<3 { watchers.tell(.declined(site: "north", reason: "\(number)"), of: "job") }
    // Not what led to it.
    watchers.tell(.asked(task: "train", round: 1, sites: 2), of: "job")
    #expect(await reasons(watchers) == ["0", "1", "2"])
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
