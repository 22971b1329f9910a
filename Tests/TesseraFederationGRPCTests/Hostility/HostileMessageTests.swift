import Foundation
import GRPCCore
import SwiftProtobuf
import TesseraCore
import TesseraFederation
import Testing

@testable import TesseraFederationGRPC

/// Messages that were damaged, or made up, against both ends of a connection.
///
/// `TESSERA_HOSTILE_MESSAGES` says how many; a hundred thousand take some minutes.
@Suite struct HostileMessageTests {
  private static var count: Int {
    ProcessInfo.processInfo.environment["TESSERA_HOSTILE_MESSAGES"].flatMap { Int($0) } ?? 10_000
  }

  private let site = Site(index: 0, name: "north", exampleCount: 10)
  private let id = TaskID(job: "job", step: 4)
  private let limits = ExchangeLimits(bytes: 1 << 20)

  private func parcel(_ elements: Int, _ value: Double) throws -> OutgoingParcel {
    let model = try ModelState([
      (name: "weight", tensor: Tensor.full(value, shape: [elements])),
      (name: "mask", tensor: Tensor([0.0, 1, 1]).to(.bool)),
    ])
    var update = Exchange.weights(model, samples: 10, metrics: ["loss": 0.5])
    update.headers = ["note": "text"]
    return try OutgoingParcel(update, chunkSize: 256)
  }

  private func bytes(_ message: some SwiftProtobuf.Message) throws -> [UInt8] {
    try message.serializedBytes()
  }

  private func chunkMessage(_ parcel: OutgoingParcel, _ index: Int) throws -> [UInt8] {
    try ChunkSerializer().serialize(OutgoingChunk(id: id, index: index, parcel: parcel))
  }

  @Test func chunksAreWrittenAndReadAsTheGeneratedCodeDoes() throws {
    let parcel = try parcel(150, 2)
    for index in 0..<parcel.chunkCount {
      let ours = try chunkMessage(parcel, index)
      let theirs = try Tessera_Federation_V1_Chunk(serializedBytes: ours)
      #expect(theirs.id.job == "job")
      #expect(theirs.id.step == 4)
      #expect(theirs.index == Int64(index))
      #expect(Array(theirs.bytes) == (try parcel.chunk(index)))
      let read = try ChunkDeserializer().deserialize(try bytes(theirs))
      #expect(read.id == id)
      #expect(read.chunk.index == index)
      #expect(read.chunk.digest == parcel.parcel.digests[index])
    }
  }

  /// What a server has of a site that has announced an answer, and sent a part of it.
  private func desk(waitingFor answer: OutgoingParcel) throws -> SiteDesk {
    var desk = SiteDesk(name: "north", patience: .seconds(9))
    _ = desk.handle(.connected)
    _ = desk.handle(.received(.greeting(open: [], jobs: [])))
    let task = AnnouncedTask(
      name: .train,
      round: 3,
      site: site,
      key: RandomKey(seed: 1),
      content: .outgoing(try parcel(150, 1))
    )
    _ = desk.handle(.assigned(id, task))
    let incoming = try IncomingParcel(answer.parcel, limits: limits)
    _ = desk.handle(.received(.answer(id, incoming)))
    _ = desk.handle(.chunk(id, ReceivedChunk(index: 0, bytes: try answer.chunk(0))))
    return desk
  }

  /// Whatever is taken is what was announced, and what comes after it is taken as before.
  @Test func damagedMessagesToAServerChangeNothing() throws {
    let answer = try parcel(150, 2)
    let start = try desk(waitingFor: answer)
    let chunks = try (0..<answer.chunkCount).map { try chunkMessage(answer, $0) }
    var wholeAnnouncement = try SiteMessage.announcement(id, try parcel(20, 3))
    wholeAnnouncement.answer.data.chunkSize = 1 << 20
    let messages = try [
      bytes(SiteMessage.greeting(open: [id], jobs: []).proto()),
      bytes(SiteMessage.progress(id).proto()),
      bytes(SiteMessage.failure(id, FederationError(code: .badTask, message: "no")).proto()),
      bytes(SiteMessage.announcement(id, answer)),
      bytes(SiteMessage.announcement(id, try OutgoingParcel(.metrics(["loss": 1])))),
      bytes(wholeAnnouncement),
    ]
    var mutator = Mutator(seed: 17)
    var (understood, closed, accepted) = (0, 0, 0)
    for number in 0..<Self.count {
      var desk = start
      let actions: [SiteDesk.Action]
      var announced = answer.parcel
      if number.isMultiple(of: 2) {
        guard let message = mutator.element(of: messages) else { continue }
        let damaged = mutator.damaged(message, mixedWith: messages + chunks)
        guard let proto = try? Tessera_Federation_V1_FromSite(serializedBytes: damaged),
          let said = try? SiteMessage(proto, limits: limits)
        else { continue }
        if case .answer(_, let parcel) = said { announced = parcel.parcel }
        actions = desk.handle(.received(said))
      } else {
        guard let chunk = mutator.element(of: chunks) else { continue }
        let damaged = mutator.damaged(chunk, mixedWith: messages + chunks)
        guard let arrived = try? ChunkDeserializer().deserialize(damaged) else { continue }
        actions = desk.handle(.chunk(arrived.id, arrived.chunk))
      }
      understood += 1
      for action in actions {
        switch action {
        case .close(let reason):
          closed += 1
          #expect(reason.hasPrefix("north: "))
        case .report(_, .answered(_, .success(let exchange))):
          accepted += 1
          let again = try OutgoingParcel(exchange, chunkSize: announced.chunkSize)
          #expect(again.parcel.digests == announced.digests)
          #expect(again.parcel.outline.tensors == announced.outline.tensors)
        default: break
        }
      }
      guard number.isMultiple(of: 100), desk.content(of: id) != nil else { continue }
      // The honest answer still arrives as it was sent.
      _ = desk.handle(.received(.answer(id, try IncomingParcel(answer.parcel, limits: limits))))
      var last: [SiteDesk.Action] = []
      for index in 0..<answer.chunkCount {
        let chunk = ReceivedChunk(index: index, bytes: try answer.chunk(index))
        last += desk.handle(.chunk(id, chunk))
      }
      guard case .report(_, .answered(_, .success(let exchange)))? = last.last else { continue }
      #expect(try OutgoingParcel(exchange, chunkSize: 256).parcel == answer.parcel)
    }
    // The damages are such that some are found by the reader, some by the machine, and some by nobody, for they change nothing.
    #expect(understood > Self.count / 20)
    #expect(closed > 0)
    #expect(accepted > 0)
  }

  @Test func damagedMessagesToASiteChangeNothing() throws {
    let content = try parcel(150, 1)
    let whole = try parcel(20, 1)
    func task(_ parcel: OutgoingParcel) throws -> ServerMessage {
      .task(
        id,
        AnnouncedTask(
          name: .train,
          round: 3,
          site: site,
          key: RandomKey(seed: 1),
          content: .outgoing(parcel)
        )
      )
    }
    var start = SiteDuties()
    _ = start.handle(.connected)
    _ = start.handle(.received(.welcome(patience: .seconds(9))))
    let proto = try task(content).proto()
    _ = start.handle(.received(try ServerMessage(proto, limits: limits)))
    let chunks = try (0..<content.chunkCount).map { try chunkMessage(content, $0) }
    let messages = try [
      bytes(ServerMessage.welcome(patience: .seconds(9)).proto()), bytes(proto),
      bytes(task(whole).proto()), bytes(task(try OutgoingParcel(.metrics([:]))).proto()),
      bytes(ServerMessage.withdrawal(id, reason: "late").proto()),
      bytes(ServerMessage.wanted(id, [0, 1]).proto()), bytes(ServerMessage.receipt(id).proto()),
      bytes(ServerMessage.farewell(job: "job", isAborted: false).proto()),
    ]
    var mutator = Mutator(seed: 23)
    var (understood, closed) = (0, 0)
    for number in 0..<Self.count {
      var duties = start
      let actions: [SiteDuties.Action]
      var announced = content.parcel
      if number.isMultiple(of: 2) {
        guard let message = mutator.element(of: messages) else { continue }
        let damaged = mutator.damaged(message, mixedWith: messages + chunks)
        guard let proto = try? Tessera_Federation_V1_FromServer(serializedBytes: damaged),
          let said = try? ServerMessage(proto, limits: limits)
        else { continue }
        if case .task(_, let task) = said { announced = task.parcel ?? announced }
        actions = duties.handle(.received(said))
      } else {
        guard let chunk = mutator.element(of: chunks) else { continue }
        let damaged = mutator.damaged(chunk, mixedWith: messages + chunks)
        guard let arrived = try? ChunkDeserializer().deserialize(damaged) else { continue }
        actions = duties.handle(.chunk(arrived.id, arrived.chunk))
      }
      understood += 1
      for action in actions {
        switch action {
        case .close: closed += 1
        case .start(_, let task):
          let again = try OutgoingParcel(task.data, chunkSize: announced.chunkSize)
          #expect(again.parcel.digests == announced.digests)
          #expect(again.parcel.outline.tensors == announced.outline.tensors)
        default: break
        }
      }
    }
    #expect(understood > Self.count / 20)
    #expect(closed > 0)
  }

  /// A message whose content is not what its digests say names its task: that one has failed, and the connection stays.
  @Test func contentThatCannotBeUsedIsAFailureOfItsTask() throws {
    let whole = try OutgoingParcel(.weights(ModelState([(name: "w", tensor: Tensor.zeros([8]))])))
    var answer = try SiteMessage.announcement(id, whole)
    #expect(!answer.answer.data.content.isEmpty)
    answer.answer.data.content[3] ^= 1
    guard case .failure(id, let error) = try SiteMessage(answer, limits: limits) else {
      Issue.record("the answer was taken")
      return
    }
    #expect(error.code == .protocolViolation && error.message.contains("digest"))
    let task = ServerMessage.task(
      id,
      AnnouncedTask(
        name: .train,
        round: 3,
        site: site,
        key: RandomKey(seed: 1),
        content: .outgoing(whole)
      )
    )
    let small = ExchangeLimits(bytes: 16)
    guard case .task(_, let read) = try ServerMessage(task.proto(), limits: small),
      case .unusable(let reason) = read.content
    else {
      Issue.record("the task was taken")
      return
    }
    #expect(reason.code == .limitExceeded)
  }

  /// What a site is told to forget lies before what it is asked for.
  @Test func aTaskSaysWhatWasNotUsedBeforeIt() throws {
    let id = TaskID(job: "job", step: 7)
    var task = AnnouncedTask(
      name: .train,
      round: 3,
      site: site,
      key: RandomKey(seed: 1),
      content: .outgoing(try OutgoingParcel(.metrics([:])))
    )
    for first in [nil, 1, 6] {
      task.unusedSince = first
      let proto = try ServerMessage.task(id, task).proto()
      guard case .task(_, let read) = try ServerMessage(proto, limits: limits) else {
        Issue.record("the task is something else")
        return
      }
      #expect(read.unusedSince == first)
    }
    for first in [7, Int.max] {
      task.unusedSince = first
      let proto = try ServerMessage.task(id, task).proto()
      #expect(throws: FederationError.self) { try ServerMessage(proto, limits: limits) }
    }
  }
}
