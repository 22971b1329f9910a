import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraTesting
import Testing

@Suite struct ParcelTests {
  /// An exchange with tensors of all dtypes, of sizes that fill no chunk evenly, and parts.
  private func exchange() throws -> Exchange {
    let generator = try Generator(key: RandomKey(seed: 3))
    func tensors(_ prefix: String) throws -> ModelState {
      try ModelState(
        DType.allCases.enumerated().map { index, dtype in
          let values = try Tensor.uniform([index * 7 + 1], in: 0..<100, using: generator)
          return (name: "\(prefix).\(dtype)", tensor: try values.to(dtype))
        } + [(name: "\(prefix).empty", tensor: try Tensor.zeros([0, 3]))]
      )
    }
    var metadata = Exchange.Metadata(steps: 3, samples: 40, round: 2)
    metadata.excluded = ["bias"]
    return Exchange(
      .collection,
      tensors: try tensors("own"),
      parts: [
        "model": .weights(try tensors("model"), samples: 5, metrics: ["loss": 0.5]),
        "control": .difference(try tensors("control")),
      ],
      metrics: ["accuracy": 0.25],
      metadata: metadata,
      headers: ["note": "text"]
    )
  }

  private func expectEqual(_ a: Exchange, _ b: Exchange) throws {
    #expect(ExchangeOutline(of: a) == ExchangeOutline(of: b))
    #expect(try a.tensors.isIdentical(to: b.tensors))
    #expect(a.parts.keys.sorted() == b.parts.keys.sorted())
    for (name, part) in a.parts { try expectEqual(part, try #require(b.parts[name])) }
  }

  @Test(arguments: [16, 48, 1024, 1 << 20])
  func chunksOfAnySizeInAnyOrderMakeTheExchangeAgain(chunkSize: Int) throws {
    let exchange = try exchange()
    let outgoing = try OutgoingParcel(exchange, chunkSize: chunkSize)
    var incoming = try IncomingParcel(outgoing.parcel, limits: ExchangeLimits())
    #expect(incoming.missing.count == outgoing.chunkCount)
    // From the middle to both ends.
    let order = (0..<outgoing.chunkCount).sorted {
      abs($0 - outgoing.chunkCount / 2) < abs($1 - outgoing.chunkCount / 2)
    }
    for index in order {
      #expect(!incoming.isComplete)
      let isNew = try outgoing.chunk(index).withUnsafeBytes { try incoming.take(index, $0) }
      #expect(isNew)
      let again = try outgoing.chunk(index).withUnsafeBytes { try incoming.take(index, $0) }
      #expect(!again)
    }
    #expect(incoming.isComplete)
    try expectEqual(try incoming.exchange(), exchange)
  }

  /// Of several megabytes: in a file, with the bits of the memory.
  @Test func contentMayLieInAFile() throws {
    let generator = try Generator(key: RandomKey(seed: 5))
    let model = try ModelState([
      (name: "a", tensor: Tensor.uniform([1_500_000], using: generator)),
      (name: "b", tensor: Tensor.uniform([3, 7], using: generator)),
    ])
    let outgoing = try OutgoingParcel(.weights(model))
    var incoming = try IncomingParcel(
      outgoing.parcel,
      limits: ExchangeLimits(),
      spool: FilePath(NSTemporaryDirectory())
    )
    for index in incoming.missing.reversed() {
      let chunk = ReceivedChunk(index: index, bytes: try outgoing.chunk(index))
      #expect(chunk.digest == outgoing.parcel.digests[index])
      #expect(try incoming.take(chunk))
    }
    let received = try incoming.exchange()
    #expect(received.tensors.tensors.allSatisfy { $0.liesInFile })
    #expect(try received.tensors.isIdentical(to: model))
    // What lies in a file can be sent on.
    #expect(try OutgoingParcel(received).parcel == outgoing.parcel)
  }

  @Test func withoutRoomForTheContentNothingIsTaken() throws {
    let model = try ModelState([(name: "a", tensor: Tensor.zeros([2_000_000]))])
    let outgoing = try OutgoingParcel(.weights(model))
    var incoming = try IncomingParcel(
      outgoing.parcel,
      limits: ExchangeLimits(),
      spool: "/no/such/folder"
    )
    let chunk = ReceivedChunk(index: 0, bytes: try outgoing.chunk(0))
    #expect(throws: MissingRoom.self) { try incoming.take(chunk) }
    #expect(throws: MissingRoom.self) { try incoming.reserve() }
    #expect(incoming.receivedCount == 0)
    // A content of the size that was announced, and that no memory has.
    var parcel = outgoing.parcel
    parcel.outline.tensors[0].shape = [1 << 38]
    parcel.chunkSize = 8 << 20
    parcel.digests = [ChunkDigest](repeating: parcel.digests[0], count: 1 << 17)
    let bytes = [UInt8](repeating: 0, count: 8 << 20)
    parcel.digests[0] = ReceivedChunk(index: 0, bytes: bytes).digest
    var huge = try IncomingParcel(parcel, limits: ExchangeLimits())
    let first = ReceivedChunk(index: 0, bytes: bytes)
    // Some systems promise any memory; what matters is that the process goes on.
    _ = try? huge.take(first)
  }

  /// Of a disk that has room for one of two contents, the second finds out before it travels.
  @Test(.enabled(if: SmallDisk.isPossible, "only root can mount a small disk, where it may"))
  func roomOnADiskIsTakenBeforeAnythingComes() throws {
    let disk = try SmallDisk(megabytes: 12)
    let model = try ModelState([(name: "a", tensor: Tensor.zeros([2_000_000]))])
    let outgoing = try OutgoingParcel(.weights(model))
    func incoming() throws -> IncomingParcel {
      try IncomingParcel(outgoing.parcel, limits: ExchangeLimits(), spool: disk.path)
    }
    var first = try incoming()
    try first.reserve()
    var second = try incoming()
    let missing = try #require(throws: MissingRoom.self) { try second.reserve() }
    #expect(missing.bytes == 8_000_000 && missing.folder == disk.path)
    #expect(try #require(missing.free) < 5 << 20)
    for part in ["cannot make room for 8000000 bytes in \(disk.path)", "No space left"] {
      #expect("\(missing)".contains(part), "\(missing)")
    }
    for index in first.missing {
      try first.take(ReceivedChunk(index: index, bytes: outgoing.chunk(index)))
    }
    #expect(try first.exchange().tensors.isIdentical(to: model))
    first = second
    try second.reserve()
  }

  @Test func anExchangeWithoutElementsHasNoChunks() throws {
    let outgoing = try OutgoingParcel(.metrics(["loss": 0.5]))
    #expect(outgoing.chunkCount == 0)
    let incoming = try IncomingParcel(outgoing.parcel, limits: ExchangeLimits())
    #expect(incoming.isComplete)
    #expect(try incoming.exchange().metrics == ["loss": 0.5])
  }

  @Test func chunksThatDidNotChangeHaveTheSameNames() throws {
    let size = 1024
    func parcel(_ last: Double) throws -> Parcel {
      let model = try ModelState([
        (name: "frozen", tensor: Tensor.full(1.0, shape: [1000])),
        (name: "head", tensor: Tensor.full(last, shape: [100])),
      ])
      return try OutgoingParcel(.weights(model), chunkSize: size).parcel
    }
    let (a, b) = (try parcel(1), try parcel(2))
    #expect(a.digests.count == 5)
    #expect(zip(a.digests, b.digests).map(==) == [true, true, true, false, false])
  }

  @Test func aChunkThatIsNotWhatWasAnnouncedIsRefusedAndAskedForAgain() throws {
    let outgoing = try OutgoingParcel(try exchange(), chunkSize: 64)
    var incoming = try IncomingParcel(outgoing.parcel, limits: ExchangeLimits())
    var bytes = try outgoing.chunk(1)
    bytes[5] ^= 1
    let damages: [(Int, [UInt8])] = [
      (1, bytes), (1, try outgoing.chunk(2)), (1, []), (1, bytes + [0]), (-1, bytes),
      (outgoing.chunkCount, bytes), (.max, bytes),
    ]
    for (index, bytes) in damages {
      let error = #expect(throws: FederationError.self) {
        try bytes.withUnsafeBytes { try incoming.take(index, $0) }
      }
      #expect(error?.code == .protocolViolation)
    }
    #expect(incoming.receivedCount == 0)
    #expect(throws: FederationError.self) { try incoming.exchange() }
    for index in incoming.missing {
      try outgoing.chunk(index).withUnsafeBytes { _ = try incoming.take(index, $0) }
    }
    try expectEqual(try incoming.exchange(), try exchange())
  }

  @Test(arguments: [
    [-1], [Int.max], [Int.max, Int.max], [1 << 40], [1, -2, 3], [Int](repeating: 1, count: 17),
  ])
  func whatCannotBeIsRefusedBeforeItIsAllocated(shape: [Int]) throws {
    var outline = ExchangeOutline(kind: .weights)
    outline.tensors = [.init(name: "weight", dtype: .float32, shape: shape)]
    let error = #expect(throws: FederationError.self) {
      try IncomingParcel(
        Parcel(outline: outline, chunkSize: 1 << 20, digests: []),
        limits: ExchangeLimits()
      )
    }
    #expect(error?.code == .limitExceeded)
  }

  @Test(arguments: [0, -16, 8, Int.max, Int.min, 1 << 40])
  func chunkSizesThatCannotBeAreRefused(chunkSize: Int) throws {
    var parcel = try OutgoingParcel(try exchange(), chunkSize: 64).parcel
    parcel.chunkSize = chunkSize
    #expect(throws: FederationError.self) {
      try IncomingParcel(parcel, limits: ExchangeLimits())
    }
  }

  @Test func theNumberOfDigestsIsThatOfTheChunks() throws {
    var parcel = try OutgoingParcel(try exchange(), chunkSize: 64).parcel
    let last = parcel.digests.removeLast()
    for digests in [parcel.digests, [], parcel.digests + [last, last]] {
      parcel.digests = digests
      let error = #expect(throws: FederationError.self) {
        try IncomingParcel(parcel, limits: ExchangeLimits())
      }
      #expect(error?.code == .protocolViolation)
    }
  }

  @Test func truthValuesAreTrueOrFalse() throws {
    // The same bytes, announced as truth values.
    let model = try ModelState([(name: "mask", tensor: Tensor([0.0, 1, 2]).to(.uint8))])
    let outgoing = try OutgoingParcel(.weights(model))
    var parcel = outgoing.parcel
    parcel.outline.tensors[0].dtype = .bool
    var incoming = try IncomingParcel(parcel, limits: ExchangeLimits())
    try outgoing.chunk(0).withUnsafeBytes { _ = try incoming.take(0, $0) }
    let error = #expect(throws: FederationError.self) { try incoming.exchange() }
    #expect(error?.message.contains("'mask'") == true)
  }

  @Test func twoTensorsOfOneNameAreRefused() throws {
    let model = try ModelState([
      (name: "a", tensor: Tensor([1.0])), (name: "b", tensor: Tensor([2.0])),
    ])
    let outgoing = try OutgoingParcel(.weights(model))
    var parcel = outgoing.parcel
    parcel.outline.tensors[1].name = "a"
    var incoming = try IncomingParcel(parcel, limits: ExchangeLimits())
    try outgoing.chunk(0).withUnsafeBytes { _ = try incoming.take(0, $0) }
    #expect(throws: TensorError.self) { try incoming.exchange() }
  }

  @Test func digestsHaveThirtyTwoBytes() throws {
    let digest = try OutgoingParcel(try exchange()).parcel.digests[0]
    #expect(try ChunkDigest(bytes: digest.bytes) == digest)
    #expect(throws: FederationError.self) { try ChunkDigest(bytes: digest.bytes.dropLast()) }
    #expect(throws: FederationError.self) { try ChunkDigest(bytes: [UInt8]()) }
  }

  @Test func theDigestIsTheSameAtBothEndsAndOfAllThatIsAnnounced() throws {
    let exchange = try exchange()
    let parcel = try OutgoingParcel(exchange).parcel
    #expect(parcel.digest.count == 64)
    #expect(try OutgoingParcel(exchange).parcel.digest == parcel.digest)
    #expect(try IncomingParcel(parcel, limits: ExchangeLimits()).parcel.digest == parcel.digest)
    let changes: [(String, (inout Parcel) -> Void)] = [
      ("kind", { $0.outline.kind = .weights }), ("size", { $0.chunkSize = 48 }),
      (
        "chunk",
        {
          $0.digests.swapAt(0, 0); $0.digests.append($0.digests[0])
        }
      ),
      ("order", { $0.outline.tensors.swapAt(0, 1) }),
      ("shape", { $0.outline.tensors[0].shape.append(1) }),
      ("name", { $0.outline.tensors[0].name += "x" }),
      ("metric", { $0.outline.metrics["accuracy"] = 0.5 }),
      ("another metric", { $0.outline.metrics["loss"] = 0.5 }),
      ("header", { $0.outline.headers["note"] = "test" }),
      ("code", { $0.outline.returnCode = .badTask }),
      ("steps", { $0.outline.metadata.steps = nil }),
      ("round", { $0.outline.metadata.round = 3 }),
      ("weight", { $0.outline.metadata.weight = 0 }),
      ("contributor", { $0.outline.metadata.contributor = "" }),
      ("excluded", { $0.outline.metadata.excluded = ["bias", ""] }),
      (
        "processing",
        {
          $0.outline.metadata.processing = [
            .init(
              "quantize",
              tensors: ["a"],
              parameters: ["bits": 8],
              bytesBefore: 4,
              bytesAfter: 1
            )
          ]
        }
      ),
      ("part", { $0.outline.parts["model"]?.metrics["loss"] = 0.25 }),
      (
        "part's name",
        { $0.outline.parts["models"] = $0.outline.parts.removeValue(forKey: "model") }
      ),
    ]
    var digests = Set([parcel.digest])
    for (what, change) in changes {
      var changed = parcel
      change(&changed)
      #expect(digests.insert(changed.digest).inserted, "\(what)")
    }
  }

  @Test func whatIsThereIsCountedOnceItIsVerified() throws {
    let outgoing = try OutgoingParcel(try exchange(), chunkSize: 1024)
    var incoming = try IncomingParcel(outgoing.parcel, limits: ExchangeLimits())
    #expect(incoming.byteCount == outgoing.byteCount && incoming.receivedBytes == 0)
    let wrong = [UInt8](repeating: 7, count: outgoing.byteCount(of: 0))
    #expect(throws: FederationError.self) {
      try wrong.withUnsafeBytes { try incoming.take(0, $0) }
    }
    #expect(incoming.receivedBytes == 0)
    for _ in 0..<2 {
      _ = try outgoing.chunk(1).withUnsafeBytes { try incoming.take(1, $0) }
      #expect(incoming.receivedBytes == 1024)
    }
  }
}
