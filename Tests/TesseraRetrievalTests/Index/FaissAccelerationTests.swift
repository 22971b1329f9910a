import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraRetrievalFaiss
import TesseraRetrievalTesting
import Testing

@Suite("Neighbours that Faiss proposes", .serialized)
struct FaissAccelerationTests {
  /// On one thread: teams of threads that wait for each other are slow beside other tests.
  static let lane = ComputeLane(threads: 1)
  static let kinds: [FaissAcceleration] = [
    .hnsw(links: 16, searchEffort: 64), .ivfPQ(lists: 16, bytes: 16, probes: 8),
  ]

  /// Vectors that lie in heaps, as those of pictures do.
  private func heaps(_ range: Range<Int>, seed: UInt64 = 1) throws -> [VectorEntry] {
    let centres = try randomEntries(0..<40, dimension: 32, seed: 77)
    return try randomEntries(range, dimension: 32, seed: seed).map { entry in
      var entry = entry
      let number = Int(entry.id.dropFirst()) ?? 0
      let sum = zip(entry.vector, centres[number % 40].vector).map { $0 * 0.5 + $1 }
      let length = sum.reduce(0) { $0 + $1 * $1 }.squareRoot()
      entry.vector = sum.map { $0 / length }
      entry.metadata["heap"] = .number(Double(number % 40))
      return entry
    }
  }

  /// Of the best ten of each query, how many are found.
  private func recall(_ found: [[VectorMatch]], _ exact: [[VectorMatch]]) -> Double {
    let hits = zip(found, exact).map { Set($0.map(\.id)).intersection($1.map(\.id)).count }
    return Double(hits.reduce(0, +)) / Double(exact.map(\.count).reduce(0, +))
  }

  @Test("keep the laws of stores, made anew after each change")
  func laws() async throws {
    try await withFolder { folder in
      let index = try VectorIndex(
        folder,
        model: "m",
        dimension: 8,
        acceleration: FaissAcceleration.hnsw(links: 8),
        lane: Self.lane
      )
      await expectVectorStoreLaws(AcceleratedStore(index: index))
    }
  }

  @Test("are nearly all of the exact ones, with exact scores", arguments: kinds)
  func recall(kind: FaissAcceleration) async throws {
    try await withFolder { folder in
      let all = try heaps(0..<1200)
      let queries = try heaps(0..<20, seed: 5).map(\.vector)
      do { try await VectorIndex(folder, model: "m", dimension: 32).add(all) }
      let exact = try await VectorIndex(
        folder,
        model: "m",
        dimension: 32,
        access: .reading,
        lane: Self.lane
      )
      .search(queries, VectorSearch())
      let index = try VectorIndex(
        folder,
        model: "m",
        dimension: 32,
        acceleration: kind,
        lane: Self.lane
      )
      // Not made yet: exact.
      #expect(try await index.acceleratedEntries() == nil)
      #expect(try await index.search(queries, VectorSearch()) == exact)
      try await index.accelerate()
      let known = try #require(try await index.acceleratedEntries())
      #expect(known == (1200, 0))
      let found = try await index.search(queries, VectorSearch())
      #expect(recall(found, exact) >= 0.95)
      #expect(await index.answers == VectorIndex.Answers(exact: 20, accelerated: 20))
      for (query, matches) in zip(queries, found) {
        for match in matches {
          let number = try #require(Int(match.id.dropFirst()))
          let score = zip(query, all[number].vector).reduce(0.0) {
            $0 + Double($1.0) * Double($1.1)
          }
          #expect(match.score == Float(score))
        }
      }

      // Read from its file.
      let reader = try VectorIndex(
        folder,
        model: "m",
        dimension: 32,
        access: .reading,
        acceleration: kind
      )
      #expect(try await reader.search(queries, VectorSearch()) == found)
      #expect(await reader.answers == VectorIndex.Answers(accelerated: 20))
    }
  }

  @Test("never bring back what is gone, and miss nothing that is new", arguments: kinds)
  func changes(kind: FaissAcceleration) async throws {
    try await withFolder { folder in
      let all = try heaps(0..<2400)
      let index = try VectorIndex(
        folder,
        model: "m",
        dimension: 32,
        acceleration: kind,
        lane: Self.lane
      )
      try await index.add(all)
      try await index.accelerate()
      let gone = (0..<2400).filter { $0 % 3 == 0 }.map { "e\($0)" }
      try await index.remove(gone)
      // Into the rows of those that are gone, and far from where these were.
      let new = try heaps(2400..<2440, seed: 3)
      try await index.add(new)
      var moved = all[1]
      moved.vector = moved.vector.map { -$0 }
      try await index.update([moved])
      #expect(try #require(try await index.acceleratedEntries()) == (2400 - gone.count - 1, 41))
      for _ in 0..<2 {
        for entry in new.prefix(8) + [moved] {
          #expect(
            try await index.search(entry.vector, VectorSearch(limit: 1)).map(\.id) == [entry.id]
          )
        }
        let found = try await index.search(all.prefix(15).map(\.vector), VectorSearch(limit: 20))
        #expect(found.allSatisfy { $0.count == 20 && Set($0.map(\.id)).isDisjoint(with: gone) })
        for matches in found {
          #expect(Set(matches.map(\.id)).count == matches.count, "one is there twice")
        }
        try await index.accelerate()
        #expect(try #require(try await index.acceleratedEntries()).new == 0)
      }
      #expect(await index.answers == VectorIndex.Answers(accelerated: 2 * (9 + 15)))
      try await index.remove((0..<2440).map { "e\($0)" })
      #expect(try await index.search(all[0].vector, VectorSearch()) == [])
    }
  }

  @Test("filters find as many as are asked for", arguments: kinds)
  func filters(kind: FaissAcceleration) async throws {
    try await withFolder { folder in
      let all = try heaps(0..<2400)
      let index = try VectorIndex(
        folder,
        model: "m",
        dimension: 32,
        acceleration: kind,
        lane: Self.lane
      )
      try await index.add(all)
      try await index.accelerate()
      let query = all[0].vector
      var answers = VectorIndex.Answers()
      func expect(_ filter: VectorFilter, _ count: Int, isAccelerated: Bool) async throws {
        let matches = try await index.search(query, VectorSearch(limit: 20, filter: filter))
        #expect(matches.count == min(20, count), "\(filter)")
        #expect(matches.allSatisfy { filter.isFulfilled(id: $0.id, metadata: $0.metadata) })
        if isAccelerated { answers.accelerated += 1 } else { answers.exact += 1 }
        #expect(await index.answers == answers, "\(filter)")
      }
      // Of three in four, as many of the proposals are left.
      try await expect(VectorFilter("n < 1800"), 1800, isAccelerated: true)
      // So few are all looked at.
      try await expect(VectorFilter("heap = 7"), 60, isAccelerated: false)
      try await expect(VectorFilter("n = 5"), 1, isAccelerated: false)
      try await expect(VectorFilter("heap = 99"), 0, isAccelerated: false)
      // All but those around the query: none of the proposals is left, though most entries are.
      let near = try await index.search(query, VectorSearch(limit: 250))
      answers.exact += 1
      let heaps = Set(near.compactMap { $0.metadata["heap"] })
      try #require(heaps.count < 20)
      try await expect(.not(.isIn("heap", Array(heaps))), 1000, isAccelerated: false)
    }
  }

  @Test("are made again when their file is damaged, gone or of another kind")
  func damage() async throws {
    try await withFolder { folder in
      let all = try heaps(0..<600)
      let kind = FaissAcceleration.hnsw(links: 8)
      do {
        let index = try VectorIndex(
          folder,
          model: "m",
          dimension: 32,
          acceleration: kind,
          lane: Self.lane
        )
        try await index.add(all)
        try await index.accelerate()
      }
      func known(_ kind: FaissAcceleration) async throws -> Bool {
        let index = try VectorIndex(
          folder,
          model: "m",
          dimension: 32,
          acceleration: kind,
          lane: Self.lane
        )
        #expect(try await index.search(all[3].vector, VectorSearch(limit: 1)).map(\.id) == ["e3"])
        return try await index.acceleratedEntries() != nil
      }
      #expect(try await known(kind))
      #expect(try await !known(.hnsw(links: 9)))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.string)
      let data = names.filter { $0.hasPrefix("nearest-") }
      #expect(data.count == 1)
      let path = folder.appending(try #require(data.first)).string
      let original = try Data(contentsOf: URL(filePath: path))
      for offset in [0, 40, original.count / 2, original.count - 1] {
        var changed = original
        changed[offset] ^= 0x55
        try changed.write(to: URL(filePath: path))
        #expect(try await !known(kind))
      }
      try original.prefix(1000).write(to: URL(filePath: path))
      #expect(try await !known(kind))
      do {
        let index = try VectorIndex(
          folder,
          model: "m",
          dimension: 32,
          acceleration: kind,
          lane: Self.lane
        )
        try await index.accelerate()
      }
      #expect(try await known(kind))
    }
  }

  @Test("refuse what makes no sense")
  func refusals() async throws {
    try await withFolder { folder in
      let index = try VectorIndex(folder, model: "m", dimension: 32)
      await #expect(throws: RetrievalError.self) { try await index.accelerate() }
    }
    for kind in [
      FaissAcceleration.hnsw(links: 0), .hnsw(links: 1 << 40), .hnsw(buildEffort: 0),
      .hnsw(searchEffort: -1),
      .ivfPQ(bytes: 5), .ivfPQ(lists: 0), .ivfPQ(lists: 10_000), .ivfPQ(probes: 0),
    ] {
      let vectors = try Tensor(
        randomEntries(0..<500, dimension: 32).flatMap(\.vector),
        shape: [500, 32]
      )
      let error = #expect(throws: RetrievalError.self, "\(kind)") {
        try kind.build(vectors, rows: Array(0..<500))
      }
      #expect(error?.code == .invalidArgument)
    }
  }
}

/// An index whose acceleration knows everything at each search.
private struct AcceleratedStore: VectorStore {
  let index: VectorIndex

  var dimension: Int { index.dimension }
  var model: String { index.model }

  func count() async throws -> Int { try await index.count() }

  func add(_ entries: [VectorEntry]) async throws {
    try await index.add(entries)
    try await index.accelerate()
  }

  func update(_ entries: [VectorEntry]) async throws {
    try await index.update(entries)
    try await index.accelerate()
  }

  func remove(_ ids: [String]) async throws -> Int {
    let count = try await index.remove(ids)
    try await index.accelerate()
    return count
  }

  func entries(_ ids: [String]) async throws -> [VectorEntry?] { try await index.entries(ids) }

  func digests(after id: String?, limit: Int) async throws -> [(id: String, digest: String)] {
    try await index.digests(after: id, limit: limit)
  }

  func search(_ queries: [[Float]], _ search: VectorSearch) async throws -> [[VectorMatch]] {
    try await index.search(queries, search)
  }

  func nearDuplicates(atLeast threshold: Float, limit: Int) async throws -> [NearDuplicate] {
    try await index.nearDuplicates(atLeast: threshold, limit: limit)
  }
}
