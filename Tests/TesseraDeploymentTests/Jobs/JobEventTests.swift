import Foundation
import TesseraDeployment
import TesseraProvisioning
import Testing

@Suite("What happens to a job")
struct JobEventTests {
  static let moment = Date(timeIntervalSince1970: 1_772_366_400)

  static func job(_ state: JobState = .running) -> JobRecord {
    var job = JobRecord(
      id: "chest-1",
      name: "chest",
      submitter: Person(name: "ada", organisation: "hub", role: .lead),
      submitted: moment,
      requirements: JobRequirements(),
      digest: "00ff"
    )
    job.state = state
    return job
  }

  static func round(_ number: Int) throws -> JobEvent {
    .roundFinished(
      try JSONText.value(
        JobEvent.RoundSummary.self,
        of: """
          {"round":\(number),"rounds":3,"seconds":0.5,"bytesDown":1,"bytesUp":2,"contributors":[],"rejected":{},"model":"00"}
          """
      )
    )
  }

  static func all() throws -> [JobEvent] {
    [
      .changed(job()),
      .waiting(reason: "waits", away: [.init(site: "north", since: moment)]),
      .declined(site: "north", reason: "no data"),
      .asked(task: "train", round: 2, sites: ["north", "south"]),
      .measured(.init(site: "north", round: 2, step: 7, metrics: ["loss": 0.5])),
      .measured(.init(site: "north", round: 2, metrics: ["loss": 0.5])),
      .answered(site: "north", answers: 1), .refused(site: "north", reason: "NaN"),
      .away(.init(site: "north", since: moment)), .returned(site: "north"),
      .transferring([]), try round(1), .serverLost(reason: "it ended"),
      .serverFound("127.0.0.1:7443"),
    ]
  }

  @Test("each kind of news is one object, and is read again")
  func coding() throws {
    for event in try Self.all() {
      let news = JobNews(event, at: Self.moment)
      let text = try JSONText.of(news)
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
      )
      #expect(object["event"] as? String == event.kind.rawValue)
      #expect(object["time"] as? String == "2026-03-01T12:00:00Z")
      #expect(try JSONText.value(JobNews.self, of: text) == news)
    }
    #expect(try Set(Self.all().map(\.kind)) == Set(JobEvent.Kind.allCases))
    #expect(
      try JSONText.of(JobNews(.returned(site: "north"), at: Self.moment))
        == #"{"event":"site returned","site":"north","time":"2026-03-01T12:00:00Z"}"#
    )
  }

  @Test("a job of a list is the job's object with what it waits for")
  func listed() throws {
    let away = JobEvent.AwaySite(site: "north", since: Self.moment)
    let listed = ListedJob(job: Self.job(.approved), waiting: "waits for north", away: [away])
    let text = try JSONText.of(listed)
    #expect(try JSONText.value(ListedJob.self, of: text) == listed)
    #expect(try JSONText.value(JobRecord.self, of: text) == listed.job)
    #expect(text.contains(#""away":[{"since":"2026-03-01T12:00:00Z","site":"north"}]"#))
    #expect(listed.id == "chest-1")
  }

  @Test("a server that tells the whole story again tells nothing twice")
  func again() throws {
    var seen = SeenNews()
    /// Which of some events are news.
    func news(_ events: [JobEvent]) -> [Bool] { events.map { seen.isNew($0) } }
    let story: [JobEvent] = [
      .changed(Self.job()), .declined(site: "east", reason: "no data"), try Self.round(1),
      try Self.round(2), .away(.init(site: "north", since: Self.moment)),
    ]
    #expect(news(story) == [true, true, true, true, true])
    // Another server has seen the site go at another time.
    let later = JobEvent.away(.init(site: "north", since: Self.moment.addingTimeInterval(9)))
    #expect(news(story.dropLast() + [later]) == [false, false, false, false, false])
    #expect(!seen.isOver)
    let rest: [JobEvent] = [
      try Self.round(3), .returned(site: "north"), .declined(site: "east", reason: "no room"),
      .changed(Self.job(.finished(.completed))), .returned(site: "north"),
    ]
    #expect(news(rest) == [true, true, true, true, false])
    #expect(seen.isOver)
  }
}
