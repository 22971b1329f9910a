import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

/// The server's side of one site, event by event.
@Suite struct SiteDeskTests {
  private let site = Site(index: 2, name: "north", exampleCount: 10)
  private let id = TaskID(job: "job", step: 4)

  private func parcel(_ elements: Int, _ value: Double = 1) throws -> OutgoingParcel {
    let model = try ModelState([(name: "weight", tensor: Tensor.full(value, shape: [elements]))])
    return try OutgoingParcel(.weights(model, samples: 10), chunkSize: 64)
  }

  private func task(_ elements: Int = 40) throws -> AnnouncedTask {
    AnnouncedTask(
      name: .train,
      round: 3,
      site: site,
      key: RandomKey(seed: 1),
      content: .outgoing(try parcel(elements))
    )
  }

  private func incoming(_ parcel: OutgoingParcel) throws -> IncomingParcel {
    try IncomingParcel(parcel.parcel, limits: ExchangeLimits())
  }

  /// A desk whose site is there.
  private func desk(open: [TaskID] = []) -> SiteDesk {
    var desk = SiteDesk(name: "north", patience: .seconds(9))
    _ = desk.handle(.connected)
    _ = desk.handle(.received(.greeting(open: open, jobs: [])))
    return desk
  }

  private func chunk(
    _ number: Int,
    of parcel: OutgoingParcel,
    as index: Int
  ) throws -> ReceivedChunk {
    ReceivedChunk(index: index, bytes: try parcel.chunk(number))
  }

  /// What is done, in words.
  private func words(_ actions: [SiteDesk.Action]) -> [String] {
    actions.map { action in
      switch action {
      case .send(.welcome(let patience)): "welcome \(patience)"
      case .send(.task(let id, let task)): "task \(id) \(task.name)"
      case .send(.withdrawal(let id, _)): "withdrawal \(id)"
      case .send(.wanted(let id, let chunks)): "wanted \(id) \(chunks)"
      case .send(.receipt(let id)): "receipt \(id)"
      case .send(.farewell(let job, let isAborted)): "farewell \(job)\(isAborted ? " at once" : "")"
      case .holds(let jobs): "holds \(jobs)"
      case .arrived(let id, let site, let parcel): "\(id) \(parcel.digests.count) of \(site.name)"
      case .measured(let id, let site, let all):
        "\(id) measured \(all.metrics.keys.sorted()) of \(site.name)"
      case .report(let id, .waiting(let site)): "\(id) waiting \(site.name)"
      case .report(let id, .progressed(let site)): "\(id) progressed \(site.name)"
      case .report(let id, .answered(let site, .success)): "\(id) answered \(site.name)"
      case .report(let id, .answered(let site, .failure)): "\(id) failed \(site.name)"
      case .reserve(let id, let parcel, let isUsual):
        "reserve \(id) \(parcel.byteCount)\(isUsual ? "" : ", unusual")"
      case .close: "close"
      }
    }
  }

  /// Handles an event, and takes room where that is wanted.
  private func handle(_ event: SiteDesk.Event, at desk: inout SiteDesk) -> [SiteDesk.Action] {
    var done: [SiteDesk.Action] = []
    for action in desk.handle(event) {
      done.append(action)
      guard case .reserve(let id, let parcel, _) = action else { continue }
      let result: Result<IncomingParcel, any Error> = Result {
        var reserved = parcel
        try reserved.reserve()
        return reserved
      }
      done += desk.handle(.reserved(id, parcel.parcel, result))
    }
    return done
  }

  @Test func whatASiteMeasuresIsALifeSignAndToldAsLongAsItHasTheTask() throws {
    var desk = SiteDesk(name: "north", patience: .seconds(9))
    _ = desk.handle(.assigned(id, try task()))
    _ = desk.handle(.connected)
    let measured = SiteMessage.measured(id, TaskMeasurements(["loss": 0.5], step: 3))
    #expect(words(desk.handle(.received(measured))) == ["close"])
    _ = desk.handle(.received(.greeting(open: [], jobs: [])))
    #expect(
      words(desk.handle(.received(measured)))
        == ["job/4 progressed north", #"job/4 measured ["loss"] of north"#]
    )
    _ = desk.handle(.withdrawn(id, reason: "too late"))
    #expect(words(desk.handle(.received(measured))) == [])
  }

  @Test func aTaskIsSentWhenTheSiteIsThere() throws {
    var desk = SiteDesk(name: "north", patience: .seconds(9))
    #expect(words(desk.handle(.assigned(id, try task()))) == [])
    #expect(words(desk.handle(.connected)) == [])
    #expect(!desk.isConnected)
    let greeting = desk.handle(.received(.greeting(open: [], jobs: [])))
    #expect(words(greeting) == ["welcome 9.0 seconds", "task job/4 train"])
    #expect(desk.isConnected)
    let next = TaskID(job: "job", step: 5)
    #expect(words(desk.handle(.assigned(next, try task()))) == ["task job/5 train"])
    #expect(desk.content(of: next)?.chunkCount == 3)
    #expect(desk.content(of: TaskID(job: "other", step: 5)) == nil)
  }

  @Test func anAnswerIsAskedForChunkByChunkAndThenReported() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    #expect(words(desk.handle(.received(.progress(id)))) == ["job/4 progressed north"])
    let answer = try parcel(40, 2)
    let announced = desk.handle(.received(.answer(id, try incoming(answer))))
    #expect(words(announced) == ["job/4 progressed north", "wanted job/4 [0, 1, 2]"])
    #expect(
      words(desk.handle(.chunk(id, try chunk(2, of: answer, as: 2))))
        == ["job/4 progressed north"]
    )
    _ = desk.handle(.chunk(id, try chunk(0, of: answer, as: 0)))
    let last = desk.handle(.chunk(id, try chunk(1, of: answer, as: 1)))
    #expect(words(last) == ["job/4 3 of north", "receipt job/4", "job/4 answered north"])
    guard case .report(_, .answered(_, .success(let exchange))) = last.last else {
      Issue.record("no answer")
      return
    }
    #expect(try exchange.tensors["weight"]?.mean().item() == 2)
    // What comes twice is acknowledged, and changes nothing.
    #expect(
      words(desk.handle(.received(.answer(id, try incoming(answer))))) == ["receipt job/4"]
    )
    #expect(words(desk.handle(.chunk(id, try chunk(1, of: answer, as: 1)))) == [])
  }

  @Test func whatHadArrivedWhenAConnectionBrokeIsNotAskedForAgain() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    let answer = try parcel(40, 2)
    _ = desk.handle(.received(.answer(id, try incoming(answer))))
    _ = desk.handle(.chunk(id, try chunk(1, of: answer, as: 1)))
    #expect(words(desk.handle(.disconnected)) == [])
    #expect(!desk.isConnected)
    _ = desk.handle(.connected)
    // The site has the task: it is not sent again.
    let greeting = desk.handle(.received(.greeting(open: [id], jobs: [])))
    #expect(words(greeting) == ["welcome 9.0 seconds"])
    let again = desk.handle(.received(.answer(id, try incoming(answer))))
    #expect(words(again) == ["job/4 progressed north", "wanted job/4 [0, 2]"])
    // Another answer than before is another parcel.
    let other = desk.handle(.received(.answer(id, try incoming(try parcel(40, 3)))))
    #expect(words(other) == ["job/4 progressed north", "wanted job/4 [0, 1, 2]"])
  }

  @Test func aSiteThatForgotItsTaskIsSentItAgain() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    _ = desk.handle(.disconnected)
    _ = desk.handle(.connected)
    let greeting = desk.handle(.received(.greeting(open: [], jobs: [])))
    #expect(words(greeting) == ["welcome 9.0 seconds", "task job/4 train"])
  }

  @Test func aFailureIsReportedOnce() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    let error = FederationError(code: .badTask, message: "north: no data")
    let failed = desk.handle(.received(.failure(id, error)))
    #expect(words(failed) == ["receipt job/4", "job/4 failed north"])
    #expect(words(desk.handle(.received(.failure(id, error)))) == ["receipt job/4"])
  }

  @Test func whatNobodyWaitsForIsWithdrawn() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    #expect(words(desk.handle(.withdrawn(id, reason: "late"))) == ["withdrawal job/4"])
    #expect(words(desk.handle(.withdrawn(id, reason: "late"))) == [])
    #expect(words(desk.handle(.received(.progress(id)))) == [])
    #expect(
      words(desk.handle(.received(.answer(id, try incoming(try parcel(4)))))) == ["receipt job/4"]
    )
  }

  @Test func theEndOfAJobIsToldAlsoToASiteThatComesLater() throws {
    var here = desk()
    _ = here.handle(.assigned(id, try task()))
    #expect(words(here.handle(.ended(job: "job", isAborted: false))) == ["farewell job"])
    #expect(here.content(of: id) == nil)
    var away = SiteDesk(name: "north", patience: .seconds(9))
    #expect(words(away.handle(.ended(job: "job", isAborted: true))) == [])
    _ = away.handle(.connected)
    let greeting = away.handle(.received(.greeting(open: [id], jobs: [])))
    #expect(words(greeting) == ["welcome 9.0 seconds", "farewell job at once"])
  }

  /// A farewell may have been lost with the connection that it was sent on.
  @Test func whatASiteHoldsIsAskedAbout() throws {
    var desk = SiteDesk(name: "north", patience: .seconds(9))
    _ = desk.handle(.ended(job: "b", isAborted: false))
    _ = desk.handle(.connected)
    let greeting = desk.handle(.received(.greeting(open: [], jobs: ["a", "b", "c"])))
    #expect(words(greeting) == ["welcome 9.0 seconds", "farewell b", #"holds ["a", "c"]"#])
  }

  @Test func whoDoesNotKeepToTheProtocolIsDisconnected() throws {
    var early = SiteDesk(name: "north", patience: .seconds(9))
    _ = early.handle(.connected)
    #expect(words(early.handle(.received(.progress(id)))) == ["close"])
    var twice = desk()
    #expect(words(twice.handle(.received(.greeting(open: [], jobs: [])))) == ["close"])
  }

  /// Asked for again, it would be as it was: the job goes on without it.
  @Test(arguments: [0, 9]) func anAnswerThatIsNotWhatWasAnnouncedIsRefused(place: Int) throws {
    var damaged = desk()
    _ = damaged.handle(.assigned(id, try task()))
    let answer = try parcel(40, 2)
    _ = damaged.handle(.received(.answer(id, try incoming(answer))))
    let taken = damaged.handle(.chunk(id, try chunk(2, of: answer, as: place)))
    #expect(words(taken) == ["receipt job/4", "job/4 failed north"])
    #expect(words(damaged.handle(.chunk(id, try chunk(0, of: answer, as: 0)))) == [])
  }

  /// A full disk is not the site's fault, and its answer is refused before it travels, not asked for again and again.
  @Test func anAnswerThatThereIsNoRoomForIsRefused() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([2_000_000]))])
    let answer = try OutgoingParcel(.weights(model, samples: 10))
    let incoming = try IncomingParcel(
      answer.parcel,
      limits: ExchangeLimits(),
      spool: "/no/such/folder"
    )
    let announced = handle(.received(.answer(id, incoming)), at: &desk)
    #expect(
      words(announced) == [
        "job/4 progressed north", "reserve job/4 8000000", "receipt job/4", "job/4 failed north",
      ]
    )
    guard case .report(_, .answered(_, .failure(let error))) = announced.last else {
      Issue.record("no report")
      return
    }
    #expect((error as? MissingRoom)?.bytes == 8_000_000)
    #expect(words(desk.handle(.chunk(id, try chunk(0, of: answer, as: 0)))) == [])
  }

  /// Whoever announces more than answers have has no say in whether the job goes on.
  @Test(
    .enabled(if: SmallDisk.isPossible, "only root can mount a small disk, where it may"),
    arguments: [(7_000_000, true), (7_900_000, true), (8_000_000, false), (20 << 20, false)]
  )
  func aSiteThatAnnouncesMoreThanIsUsualIsRefusedForThat(usual: Int, isItsFault: Bool) throws {
    let disk = try SmallDisk(megabytes: 8)
    // Something lies there, and 7.5 MB are free.
    let other = disk.path.appending("other").string
    #expect(FileManager.default.createFile(atPath: other, contents: Data(count: 800_000)))
    var desk = desk()
    var task = try task()
    task.usualAnswer = usual
    _ = desk.handle(.assigned(id, task))
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([2_000_000]))])
    let incoming = try IncomingParcel(
      OutgoingParcel(.weights(model, samples: 10)).parcel,
      limits: ExchangeLimits(),
      spool: disk.path
    )
    let announced = handle(.received(.answer(id, incoming)), at: &desk)
    guard case .report(_, .answered(_, .failure(let error))) = announced.last else {
      Issue.record("no report")
      return
    }
    #expect((error is MissingRoom) == !isItsFault)
    // No job waits for more than that, whatever a site announces.
    if let missing = error as? MissingRoom { #expect(missing.needed == 8_000_000) }
    if isItsFault {
      let refusal = try #require(error as? FederationError)
      #expect(refusal.code == .limitExceeded)
      for part in ["north", "8000000 bytes", "\(usual) are usual", disk.path.string] {
        #expect(refusal.message.contains(part), "\(refusal)")
      }
    }
  }

  private func missingRoom() throws -> MissingRoom {
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([2_000_000]))])
    var parcel = try IncomingParcel(
      OutgoingParcel(.weights(model, samples: 10)).parcel,
      limits: ExchangeLimits(),
      spool: "/no/such/folder"
    )
    return try #require(throws: MissingRoom.self) { try parcel.reserve() }
  }

  @Test func aJobWaitsForRoomForWhatIsUsualAndNotForWhatOneSiteAnnounces() throws {
    var missing = try missingRoom()
    #expect(missing.needed == 8_000_000)
    missing.usual = 1_000_000
    #expect(missing.needed == 1_000_000)
    missing.count = 3
    #expect(missing.needed == 3_000_000)
    missing.usual = 9_000_000
    #expect(missing.needed == 24_000_000)
    missing.bytes = .max
    missing.usual = nil
    #expect(missing.needed == .max)
  }

  /// One site must not keep the others' answers out.
  @Test func whoHasTakenMoreThanIsUsualGivesItBack() throws {
    var desk = desk()
    var task = try task()
    task.usualAnswer = 200
    let (other, foreign) = (TaskID(job: "job", step: 5), TaskID(job: "another", step: 4))
    for (id, elements) in [(id, 60), (other, 40), (foreign, 60)] {
      _ = desk.handle(.assigned(id, task))
      _ = desk.handle(.received(.answer(id, try incoming(parcel(elements)))))
    }
    #expect(desk.answersUnderWay(of: "job") == 2)
    let missing = try missingRoom()
    let given = desk.handle(.roomIsWanted(missing))
    #expect(
      words(given) == [
        "receipt another/4", "another/4 failed north", "receipt job/4", "job/4 failed north",
      ]
    )
    guard case .report(_, .answered(_, .failure(let error))) = given.last else {
      Issue.record("no report")
      return
    }
    #expect((error as? FederationError)?.code == .limitExceeded)
    #expect(desk.answersUnderWay(of: "job") == 1 && desk.answersUnderWay(of: "another") == 0)
    #expect(words(desk.handle(.roomIsWanted(missing))) == [])
  }

  /// Taking room may take a while: what has changed meanwhile counts.
  @Test func roomThatIsTakenTooLateIsGivenBack() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([2_000_000]))])
    let folder = try TemporaryFolder()
    var answer = try IncomingParcel(
      OutgoingParcel(.weights(model, samples: 10)).parcel,
      limits: ExchangeLimits(),
      spool: folder.path
    )
    let announcement = SiteDesk.Event.received(.answer(id, answer))
    #expect(
      words(desk.handle(announcement)) == ["job/4 progressed north", "reserve job/4 8000000"]
    )
    // Said again meanwhile, no more is taken.
    #expect(words(desk.handle(announcement)) == ["job/4 progressed north"])
    #expect(desk.answersUnderWay(of: "job") == 0)
    _ = desk.handle(.withdrawn(id, reason: "no"))
    try answer.reserve()
    #expect(words(desk.handle(.reserved(id, answer.parcel, .success(answer)))) == [])
    #expect(desk.answersUnderWay(of: "job") == 0)
  }

  @Test func whoAnnouncesEverOtherAnswersIsRefused() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    for number in 1...64 {
      let announced = desk.handle(.received(.answer(id, try incoming(parcel(40, Double(number))))))
      #expect(words(announced) == ["job/4 progressed north", "wanted job/4 [0, 1, 2]"])
    }
    let last = desk.handle(.received(.answer(id, try incoming(parcel(40, 65)))))
    #expect(words(last) == ["receipt job/4", "job/4 failed north"])
  }

  /// One site must not fill the server's disk.
  @Test func anAnswerThatNoModelOfTheJobNeedsIsRefusedBeforeAnythingOfItIsKept() throws {
    var desk = desk()
    var task = try task()
    task.largestAnswer = 160
    _ = desk.handle(.assigned(id, task))
    let larger = desk.handle(.received(.answer(id, try incoming(parcel(41)))))
    #expect(words(larger) == ["receipt job/4", "job/4 failed north"])
    guard case .report(_, .answered(_, .failure(let error))) = larger.last else {
      Issue.record("no report")
      return
    }
    let message = try #require(error as? FederationError).message
    for part in ["north", "'train'", "job job", "164 bytes", "the limit is 160"] {
      #expect(message.contains(part), "\(message)")
    }
    #expect(words(desk.handle(.chunk(id, try chunk(0, of: parcel(41), as: 0)))) == [])
    _ = desk.handle(.assigned(id, task))
    let fitting = desk.handle(.received(.answer(id, try incoming(parcel(40)))))
    #expect(words(fitting) == ["job/4 progressed north", "wanted job/4 [0, 1, 2]"])
  }

  @Test func anAnswerMayBeSoMuchLargerThanTheModel() {
    var limit = AnswerLimit(model: 1000)
    limit.allowance = 10
    #expect(limit.bytes(forTaskOf: 0, named: .train) == 4010)
    #expect(limit.bytes(forTaskOf: 2000, named: .train) == 8010)
    #expect(limit.bytes(forTaskOf: .max, named: .train) == .max)
    // Where sites make the first model.
    limit.model = nil
    #expect(limit.bytes(forTaskOf: 0, named: .initialize) == 4 << 30)
    #expect(limit.usualBytes(forTaskOf: 0, named: .initialize) == 4 << 30)
    // What comes later has it with it.
    #expect(limit.bytes(forTaskOf: 2000, named: .train) == 8010)
    #expect(limit.usualBytes(forTaskOf: 2000, named: .train) == 4010)
    #expect(AnswerLimit.lines.bytes(forTaskOf: 1 << 30, named: .train) == 4 << 20)
    #expect(AnswerLimit.lines.usualBytes(forTaskOf: 1 << 30, named: .train) == 4 << 20)
    // Updates may have 8 bytes in the place of 4; ciphertexts are as large as they are.
    limit.model = 1000
    #expect(limit.usualBytes(forTaskOf: 0, named: .train) == 2010)
    limit.factor = 64
    #expect(limit.usualBytes(forTaskOf: 0, named: .train) == 64_010)
  }

  @Test func howMuchOfAnAnswerIsThereOutlivesAConnection() throws {
    var desk = desk()
    _ = desk.handle(.assigned(id, try task()))
    #expect(desk.progress(of: id) == nil && desk.site(of: id)?.name == "north")
    let answer = try parcel(40)
    _ = desk.handle(.received(.answer(id, try incoming(answer))))
    #expect(try #require(desk.progress(of: id)).bytes == 0)
    _ = desk.handle(.chunk(id, try chunk(2, of: answer, as: 2)))
    let before = try #require(desk.progress(of: id))
    #expect(before.bytes == answer.byteCount(of: 2) && before.total == answer.byteCount)
    _ = desk.handle(.disconnected)
    _ = desk.handle(.connected)
    _ = desk.handle(.received(.greeting(open: [id], jobs: [])))
    _ = desk.handle(.received(.answer(id, try incoming(answer))))
    #expect(try #require(desk.progress(of: id)).bytes == before.bytes)
    _ = desk.handle(.chunk(id, try chunk(0, of: answer, as: 0)))
    #expect(
      try #require(desk.progress(of: id)).bytes == before.bytes + answer.byteCount(of: 0)
    )
    _ = desk.handle(.withdrawn(id, reason: "late"))
    #expect(desk.progress(of: id) == nil && desk.site(of: id) == nil)
  }
}
