import SystemPackage
import TesseraCore
import TesseraFederation
import Testing

/// A site's side, event by event.
@Suite struct SiteDutiesTests {
  private let site = Site(index: 2, name: "north", exampleCount: 10)
  private let id = TaskID(job: "job", step: 4)

  private func parcel(_ elements: Int, _ value: Double = 1) throws -> OutgoingParcel {
    let model = try ModelState([(name: "weight", tensor: Tensor.full(value, shape: [elements]))])
    return try OutgoingParcel(.weights(model, samples: 10), chunkSize: 64)
  }

  /// A task as it arrives: its content is still to come.
  private func message(
    _ content: OutgoingParcel,
    unusedSince first: Int? = nil
  ) throws -> ServerMessage {
    var task = AnnouncedTask(
      name: .train,
      round: 3,
      site: site,
      key: RandomKey(seed: 1),
      content: .incoming(try IncomingParcel(content.parcel, limits: ExchangeLimits()))
    )
    task.unusedSince = first
    return .task(id, task)
  }

  private func connected() -> SiteDuties {
    var duties = SiteDuties()
    _ = duties.handle(.connected)
    _ = duties.handle(.received(.welcome(patience: .seconds(9))))
    return duties
  }

  /// Duties with a task that the executor has.
  private func working(_ content: OutgoingParcel) throws -> SiteDuties {
    var duties = connected()
    _ = duties.handle(.received(try message(content)))
    for index in 0..<content.chunkCount {
      _ = duties.handle(.chunk(id, try chunk(index, of: content, as: index)))
    }
    return duties
  }

  private func chunk(
    _ number: Int,
    of parcel: OutgoingParcel,
    as index: Int
  ) throws -> ReceivedChunk {
    ReceivedChunk(index: index, bytes: try parcel.chunk(number))
  }

  private func words(_ actions: [SiteDuties.Action]) -> [String] {
    actions.map { action in
      switch action {
      case .send(.greeting): "greeting"
      case .send(.progress(let id)): "progress \(id)"
      case .send(.measured(let id, let all)): "measured \(id) \(all.metrics)"
      case .send(.answer(let id, _)): "answer \(id)"
      case .send(.failure(let id, let error)): "failure \(id) \(error.message)"
      case .announce(let id, let parcel): "announce \(id) \(parcel.chunkCount)"
      case .fetch(let id, let chunks): "fetch \(id) \(chunks)"
      case .deliver(let id, _, let chunks): "deliver \(id) \(chunks)"
      case .start(let id, let task): "start \(id) \(task.name) round \(task.round)"
      case .cancel(let id): "cancel \(id)"
      case .settle(let id): "settle \(id)"
      case .forget(let job, let isAborted): "forget \(job)\(isAborted ? " at once" : "")"
      case .close: "close"
      }
    }
  }

  /// A server that goes on after a kill may know of another memory from which the same is to be done.
  @Test func theSameContentFromAnotherMemoryIsDoneAgain() throws {
    let content = try parcel(40)
    var duties = try working(content)
    #expect(words(duties.handle(.received(try message(content)))) == ["progress job/4"])
    _ = duties.handle(.finished(id, .success(try parcel(40, 2))))
    #expect(words(duties.handle(.received(try message(content)))) == ["announce job/4 3"])
    let again = duties.handle(.received(try message(content, unusedSince: 2)))
    #expect(words(again) == ["fetch job/4 [0, 1, 2]"])
    _ = duties.handle(.chunk(id, try chunk(0, of: content, as: 0)))
    // What has come stays, and what is asked for is what was said last.
    let later = duties.handle(.received(try message(content, unusedSince: 1)))
    #expect(words(later) == ["fetch job/4 [1, 2]"])
    var actions: [SiteDuties.Action] = []
    for index in 1..<3 {
      actions += duties.handle(.chunk(id, try chunk(index, of: content, as: index)))
    }
    guard case .start(_, let task) = actions.last else {
      Issue.record("\(words(actions))")
      return
    }
    #expect(task.unusedSince == 1)
    let other = duties.handle(.received(try message(content, unusedSince: 2)))
    #expect(words(other) == ["cancel job/4", "fetch job/4 [0, 1, 2]"])
  }

  /// What a server sends must not fill a site.
  @Test func tasksTogetherHaveNoMoreBytesThanTheSiteGivesToJobs() throws {
    var duties = SiteDuties(largestContent: 200)
    _ = duties.handle(.connected)
    _ = duties.handle(.received(.welcome(patience: .seconds(9))))
    let content = try parcel(40)
    #expect(words(duties.handle(.received(try message(content)))) == ["fetch job/4 [0, 1, 2]"])
    let next = TaskID(job: "other", step: 9)
    guard case .task(_, let task) = try message(parcel(20)) else { return }
    let refused = words(duties.handle(.received(.task(next, task))))
    #expect(
      refused == [
        """
        failure other/9 the task 'train' of job other for north has 80 bytes, beside 160 of others; the limit is 200, by the memory \
        that the site gives to jobs
        """
      ]
    )
    // A task that is at work counts, and one that is done does not.
    for index in 0..<3 {
      _ = duties.handle(.chunk(id, try chunk(index, of: content, as: index)))
    }
    #expect(words(duties.handle(.received(.task(next, task)))) == refused)
    _ = duties.handle(.finished(id, .success(content)))
    #expect(words(duties.handle(.received(.task(next, task)))) == ["fetch other/9 [0, 1]"])
  }

  @Test func aTaskIsFetchedAndThenWorkedAt() throws {
    var duties = connected()
    #expect(duties.patience == .seconds(9))
    let content = try parcel(40)
    #expect(words(duties.handle(.received(try message(content)))) == ["fetch job/4 [0, 1, 2]"])
    #expect(duties.open == [id])
    #expect(words(duties.handle(.chunk(id, try chunk(1, of: content, as: 1)))) == [])
    #expect(words(duties.handle(.progressed(id))) == [])
    _ = duties.handle(.chunk(id, try chunk(0, of: content, as: 0)))
    let last = duties.handle(.chunk(id, try chunk(2, of: content, as: 2)))
    #expect(words(last) == ["start job/4 train round 3"])
    guard case .start(_, let task) = last.first else { return }
    #expect(task.step == 4)
    #expect(task.site == site)
    #expect(task.model["weight"]?.shape == [40])
    #expect(words(duties.handle(.progressed(id))) == ["progress job/4"])
  }

  @Test func anAnswerIsKeptUntilTheReceipt() throws {
    var duties = try working(try parcel(40))
    let answer = try parcel(80, 2)
    #expect(words(duties.handle(.finished(id, .success(answer)))) == ["announce job/4 5"])
    #expect(
      words(duties.handle(.received(.wanted(id, [1, 3])))) == ["deliver job/4 [1, 3]"]
    )
    #expect(words(duties.handle(.received(.wanted(id, [5])))) == ["close"])
    #expect(words(duties.handle(.received(.wanted(id, [-1])))) == ["close"])
    // The connection breaks before the receipt: the answer is announced again.
    _ = duties.handle(.disconnected)
    _ = duties.handle(.connected)
    #expect(
      words(duties.handle(.received(.welcome(patience: .seconds(1))))) == ["announce job/4 5"]
    )
    #expect(words(duties.handle(.received(.receipt(id)))) == ["settle job/4"])
    #expect(duties.open.isEmpty)
    #expect(words(duties.handle(.received(.wanted(id, [1])))) == [])
  }

  @Test func workGoesOnWithoutAConnection() throws {
    var duties = try working(try parcel(40))
    _ = duties.handle(.disconnected)
    #expect(words(duties.handle(.progressed(id))) == [])
    let error = FederationError(code: .badTask, message: "no data")
    #expect(words(duties.handle(.finished(id, .failure(error)))) == [])
    _ = duties.handle(.connected)
    let welcome = duties.handle(.received(.welcome(patience: .seconds(1))))
    #expect(words(welcome) == ["failure job/4 no data"])
  }

  @Test func aFetchThatBrokeGoesOnWhereItWas() throws {
    var duties = connected()
    let content = try parcel(40)
    _ = duties.handle(.received(try message(content)))
    _ = duties.handle(.chunk(id, try chunk(0, of: content, as: 0)))
    _ = duties.handle(.disconnected)
    _ = duties.handle(.connected)
    let welcome = duties.handle(.received(.welcome(patience: .seconds(1))))
    #expect(words(welcome) == ["fetch job/4 [1, 2]"])
    // A server that was killed asks the same again.
    #expect(words(duties.handle(.received(try message(content)))) == ["fetch job/4 [1, 2]"])
  }

  @Test func theSameTaskAgainIsNotWorkedAtTwice() throws {
    let content = try parcel(40)
    var duties = try working(content)
    #expect(words(duties.handle(.received(try message(content)))) == ["progress job/4"])
    _ = duties.handle(.finished(id, .success(try parcel(4))))
    #expect(words(duties.handle(.received(try message(content)))) == ["announce job/4 1"])
    // Under the same name, but another model: the server has gone back further.
    let other = try parcel(40, 9)
    #expect(words(duties.handle(.received(try message(other)))) == ["fetch job/4 [0, 1, 2]"])
  }

  @Test func anotherTaskUnderTheNameOfOneAtWorkReplacesIt() throws {
    var duties = try working(try parcel(40))
    let other = duties.handle(.received(try message(try parcel(40, 9))))
    #expect(words(other) == ["cancel job/4", "fetch job/4 [0, 1, 2]"])
    // What the cancelled work still says is no answer to the other.
    #expect(words(duties.handle(.finished(id, .success(try parcel(4))))) == [])
  }

  @Test func whatNobodyWaitsForIsCancelled() throws {
    var duties = try working(try parcel(40))
    #expect(words(duties.handle(.received(.withdrawal(id, reason: "late")))) == ["cancel job/4"])
    #expect(words(duties.handle(.received(.withdrawal(id, reason: "late")))) == [])
    #expect(words(duties.handle(.finished(id, .success(try parcel(4))))) == [])
    #expect(duties.open.isEmpty)
  }

  @Test func theEndOfAJobEndsAllOfIt() throws {
    var duties = try working(try parcel(40))
    #expect(
      words(duties.handle(.received(.farewell(job: "other", isAborted: true)))) == [
        "forget other at once"
      ]
    )
    #expect(
      words(duties.handle(.received(.farewell(job: "job", isAborted: false)))) == [
        "cancel job/4", "forget job",
      ]
    )
    #expect(duties.open.isEmpty)
  }

  @Test func aChunkThatIsNotWhatWasAnnouncedEndsTheConnection() throws {
    var duties = connected()
    let content = try parcel(40)
    _ = duties.handle(.received(try message(content)))
    #expect(words(duties.handle(.chunk(id, try chunk(2, of: content, as: 0)))) == ["close"])
    // Nothing of it is kept, and all is asked for again.
    _ = duties.handle(.disconnected)
    _ = duties.handle(.connected)
    let welcome = duties.handle(.received(.welcome(patience: .seconds(1))))
    #expect(words(welcome) == ["fetch job/4 [0, 1, 2]"])
  }

  @Test func aTaskThatCannotBeUsedIsAnsweredWithAFailure() throws {
    var duties = connected()
    let announced = AnnouncedTask(
      name: .train,
      round: 3,
      site: Site(index: 0, name: "north", exampleCount: 10),
      key: RandomKey(seed: 1),
      content: .unusable(FederationError(code: .limitExceeded, message: "too large"))
    )
    for _ in 0..<2 {
      #expect(words(duties.handle(.received(.task(id, announced)))) == ["failure job/4 too large"])
    }
    #expect(duties.open.isEmpty)
  }

  @Test func contentThatIsNoExchangeIsAnsweredWithAFailure() throws {
    let content = try parcel(4)
    var announced = content.parcel
    announced.outline.tensors[0].dtype = .bool
    announced.outline.tensors[0].shape = [16]
    var duties = connected()
    _ = duties.handle(
      .received(
        .task(
          id,
          AnnouncedTask(
            name: .train,
            round: 1,
            site: site,
            key: RandomKey(seed: 1),
            content: .incoming(try IncomingParcel(announced, limits: ExchangeLimits()))
          )
        )
      )
    )
    let actions = words(duties.handle(.chunk(id, try chunk(0, of: content, as: 0))))
    #expect(actions.count == 1)
    #expect(actions.first?.hasPrefix("failure job/4") == true)
  }

  /// Nothing of it is asked for, and the server hears why.
  @Test func aTaskThatThereIsNoRoomForIsRefusedBeforeItTravels() throws {
    let model = try ModelState([(name: "weight", tensor: Tensor.zeros([2_000_000]))])
    var duties = connected()
    let task = AnnouncedTask(
      name: .train,
      round: 1,
      site: site,
      key: RandomKey(seed: 1),
      content: .incoming(
        try IncomingParcel(
          OutgoingParcel(.weights(model)).parcel,
          limits: ExchangeLimits(),
          spool: "/no/such/folder"
        )
      )
    )
    let actions = duties.handle(.received(.task(id, task)))
    guard actions.count == 1, case .send(.failure(_, let error)) = actions.first else {
      Issue.record("\(words(actions))")
      return
    }
    #expect(error.code == .limitExceeded)
    #expect(error.message.contains("8000000 bytes in /no/such/folder"), "\(error)")
    #expect(duties.open.isEmpty)
  }
}
