import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraRetrieval
import Testing

@Suite("An index that is searched while it is written", .timeLimit(.minutes(20)))
struct IndexBesideWriterTests {
  static func lane() -> ComputeLane { ComputeLane(threads: 1) }

  @Test("shows each entry in each answer, whatever is updated meanwhile")
  func updates() async throws {
    try await withFolder { folder in
      let all = try randomEntries(0..<40)
      let writer = try VectorIndex(folder, model: "m", dimension: 8, lane: Self.lane())
      try await writer.add(all)
      let reader = try VectorIndex(
        folder,
        model: "m",
        dimension: 8,
        access: .reading,
        lane: Self.lane()
      )
      let updating = Task {
        for round in 0..<120 {
          var changed = all[round % 40]
          changed.metadata["round"] = .number(Double(round))
          try await writer.update([changed])
        }
      }
      var searches = 0
      var isUpdating = true
      let ended = Task { try? await updating.value }
      while isUpdating || searches < 50 {
        let filter = searches % 2 == 0 ? nil : try VectorFilter("n >= 0")
        let found = try await reader.search(
          all[searches % 40].vector,
          VectorSearch(limit: 40, filter: filter)
        )
        #expect(Set(found.map(\.id)).count == 40)
        #expect(found.first?.id == "e\(searches % 40)")
        searches += 1
        if searches % 10 == 0 {
          isUpdating =
            try await reader.entry("e39").map { $0.metadata["round"] != .number(119) } ?? true
        }
      }
      await ended.value
      try await updating.value
      // What nobody reads any more is written over: updates need few rows.
      #expect(try await writer.damagedEntries() == [])
    }
  }

  @Test("is searched while an acceleration is built")
  func building() async throws {
    try await withFolder { folder in
      let (started, signal) = AsyncStream.makeStream(of: Void.self)
      let goOn = DispatchSemaphore(value: 0)
      let acceleration = RecordedAcceleration {
        signal.yield()
        goOn.wait()
      }
      let all = try randomEntries(0..<100)
      let writer = try VectorIndex(
        folder,
        model: "m",
        dimension: 8,
        acceleration: acceleration,
        lane: Self.lane()
      )
      try await writer.add(all)
      let reader = try VectorIndex(
        folder,
        model: "m",
        dimension: 8,
        access: .reading,
        lane: Self.lane()
      )
      async let built: Void = writer.accelerate()
      for await _ in started { break }
      #expect(try await reader.search(all[3].vector, VectorSearch(limit: 1)).map(\.id) == ["e3"])
      #expect(try await reader.count() == 100)
      goOn.signal()
      try await built
    }
  }

  @Test("is accelerated by what another process makes, also later")
  func laterAcceleration() async throws {
    try await withFolder { folder in
      let acceleration = RecordedAcceleration()
      func open(_ access: VectorIndex.Access) throws -> VectorIndex {
        try VectorIndex(
          folder,
          model: "m",
          dimension: 8,
          access: access,
          acceleration: acceleration,
          lane: Self.lane()
        )
      }
      let all = try randomEntries(0..<1000)
      let writer = try open(.writing)
      try await writer.add(all)
      let reader = try open(.reading)
      let query = all[7].vector
      let exact = try await reader.search(query)
      #expect(await reader.answers == VectorIndex.Answers(exact: 1))
      try await writer.accelerate()
      #expect(try await reader.search(query) == exact)
      #expect(await reader.answers == VectorIndex.Answers(exact: 1, accelerated: 1))

      // A few new ones are compared beside the proposals.
      let few = try randomEntries(1000..<1050, seed: 5)
      try await writer.add(few)
      #expect(try await reader.search(few[9].vector, VectorSearch(limit: 1)).map(\.id) == ["e1009"])
      #expect(await reader.answers == VectorIndex.Answers(exact: 1, accelerated: 2))
      // So many new ones that all are looked at.
      let many = try randomEntries(1050..<1400, seed: 6)
      try await writer.add(many)
      #expect(
        try await reader.search(many[9].vector, VectorSearch(limit: 1)).map(\.id) == ["e1059"]
      )
      #expect(await reader.answers == VectorIndex.Answers(exact: 2, accelerated: 2))
      try await writer.accelerate()
      #expect(
        try await reader.search(many[9].vector, VectorSearch(limit: 1)).map(\.id) == ["e1059"]
      )
      #expect(await reader.answers == VectorIndex.Answers(exact: 2, accelerated: 3))
      #expect(try #require(try await reader.acceleratedEntries()) == (1400, 0))
    }
  }

  @Test("has an acceleration add vectors once, though its file could not be written")
  func failedWriting() async throws {
    try await withFolder { folder in
      let acceleration = RecordedAcceleration()
      let index = try VectorIndex(
        folder,
        model: "m",
        dimension: 8,
        acceleration: acceleration,
        lane: Self.lane()
      )
      try await index.add(randomEntries(0..<600))
      try await index.accelerate()
      let new = try randomEntries(600..<660, seed: 4)
      try await index.add(new)
      acceleration.record.withLock { $0.writingFails = true }
      let error = await #expect(throws: RetrievalError.self) { try await index.accelerate() }
      #expect(error?.code == .cannotWrite)
      #expect(try await index.search(new[5].vector, VectorSearch(limit: 1)).map(\.id) == ["e605"])
      acceleration.record.withLock { $0.writingFails = false }
      try await index.accelerate()
      try await index.accelerate()
      #expect(acceleration.record.withLock(\.added).map(\.count) == [600, 60])
      let reader = try VectorIndex(
        folder,
        model: "m",
        dimension: 8,
        access: .reading,
        acceleration: acceleration
      )
      #expect(try #require(try await reader.acceleratedEntries()) == (660, 0))
    }
  }
}
