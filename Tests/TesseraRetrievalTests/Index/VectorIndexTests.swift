import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraRetrievalTesting
import Testing

@Suite("A folder of vectors")
struct VectorIndexTests {
  @Test("keeps the laws of stores", arguments: [3, 8, 640])
  func laws(dimension: Int) async throws {
    try await withFolder { folder in
      await expectVectorStoreLaws(try VectorIndex(folder, model: "m", dimension: dimension))
    }
  }

  @Test("is the same when it is opened again")
  func openedAgain() async throws {
    try await withFolder { folder in
      let all = try randomEntries(0..<500)
      do {
        let index = try VectorIndex(folder, model: "m", dimension: 8)
        try await index.add(all)
        try await index.remove(["e7", "e9"])
      }
      let index = try VectorIndex(folder, model: "m", dimension: 8, access: .reading)
      #expect(try await index.count() == 498)
      let found = try await index.entries(all.map(\.id))
      for (entry, other) in zip(all, found) {
        #expect(other == (["e7", "e9"].contains(entry.id) ? nil : entry))
      }
      let description = try VectorIndex.description(of: folder)
      #expect(description.model == "m" && description.dimension == 8 && description.count == 498)
    }
  }

  @Test("finds what a comparison with every vector finds, whatever the number of queries")
  func exactness() async throws {
    try await withFolder { folder in
      var all = try randomEntries(0..<3000, dimension: 24)
      // Equal vectors: the one that came first is first.
      for number in stride(from: 100, to: 3000, by: 100) { all[number].vector = all[50].vector }
      let index = try VectorIndex(folder, model: "m", dimension: 24)
      for start in stride(from: 0, to: 3000, by: 700) {
        try await index.add(Array(all[start..<min(3000, start + 700)]))
      }
      let queries =
        try randomEntries(0..<70, dimension: 24, seed: 99).map(\.vector) + [all[50].vector]
      func expected(_ query: [Float], _ count: Int) -> [String] {
        let scores = all.map {
          zip(query, $0.vector).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        }
        // A sort by score and then by number.
        return all.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(count).map {
          all[$0].id
        }
      }
      let together = try await index.search(queries, VectorSearch(limit: 40))
      for (query, matches) in zip(queries, together) {
        #expect(matches.map(\.id) == expected(query, 40))
        let alone = try await index.search(query, VectorSearch(limit: 40))
        #expect(alone == matches)
      }
      // So few that they are gathered.
      let filter = try VectorFilter("n in 1000..1099")
      let filtered = try await index.search(queries, VectorSearch(limit: 5, filter: filter))
      let allIDs = queries.map { query in
        expected(query, 3000).filter { (1000...1099).contains(Int($0.dropFirst()) ?? 0) }.prefix(5)
      }
      #expect(filtered.map { $0.map(\.id) } == allIDs.map(Array.init))
    }
  }

  @Test("answers a query the same beside any others, at any dimension", arguments: [1, 7, 150])
  func together(dimension: Int) async throws {
    try await withFolder { folder in
      let index = try VectorIndex(folder, model: "m", dimension: dimension)
      try await index.add(randomEntries(0..<1000, dimension: dimension))
      let queries = try randomEntries(0..<300, dimension: dimension, seed: 9).map(\.vector)
      let search = VectorSearch(limit: 7)
      let all = try await index.search(queries, search)
      // As many as go along the rows, as fill registers in part, and as are too many for one panel.
      for count in [1, 2, 3, 4, 5, 8, 16, 17, 33, 49, 64, 65, 257] {
        #expect(
          try await index.search(Array(queries.prefix(count)), search) == Array(all.prefix(count)),
          "\(count) queries"
        )
      }
    }
  }

  @Test("finds the most alike of all pairs, however low the threshold")
  func nearDuplicates() async throws {
    try await withFolder { folder in
      let all = try randomEntries(0..<600)
      let index = try VectorIndex(folder, model: "m", dimension: 8)
      try await index.add(all)
      try await index.remove(["e3", "e300"])
      let left = all.filter { !["e3", "e300"].contains($0.id) }
      var pairs: [(first: String, second: String, score: Double)] = []
      for (number, one) in left.enumerated() {
        for other in left[(number + 1)...] {
          let score = zip(one.vector, other.vector).reduce(0.0) {
            $0 + Double($1.0) * Double($1.1)
          }
          pairs.append((one.id, other.id, score))
        }
      }
      pairs.sort { $0.score > $1.score }
      for limit in [1, 10, 3000] {
        let found = try await index.nearDuplicates(atLeast: -1, limit: limit)
        #expect(found.map(\.first) == pairs.prefix(limit).map(\.first))
        #expect(found.map(\.second) == pairs.prefix(limit).map(\.second))
      }
      let high = pairs.prefix { $0.score >= 0.9 }
      #expect(try await index.nearDuplicates(atLeast: 0.9, limit: 100_000).count == high.count)
    }
  }

  @Test("belongs to a model, and refuses another")
  func otherModel() async throws {
    try await withFolder { folder in
      do { try await VectorIndex(folder, model: "first", dimension: 4).add([]) }
      for (model, dimension) in [("second", 4), ("first", 5)] {
        let error = #expect(throws: RetrievalError.self) {
          try VectorIndex(folder, model: model, dimension: dimension)
        }
        #expect(error?.code == .wrongModel)
        for part in ["first", model, "4", "\(dimension)", folder.string] {
          #expect(error?.message.contains(part) == true)
        }
      }
    }
  }

  @Test("has one writer, beside readers who see each change as a whole")
  func oneWriter() async throws {
    try await withFolder { folder in
      #expect(throws: RetrievalError.self) {
        try VectorIndex(folder, model: "m", dimension: 8, access: .reading)
      }
      let writer = try VectorIndex(folder, model: "m", dimension: 8)
      let error = #expect(throws: RetrievalError.self) {
        try VectorIndex(folder, model: "m", dimension: 8)
      }
      #expect(error?.code == .inUse)
      let reader = try VectorIndex(folder, model: "m", dimension: 8, access: .reading)
      #expect(try await reader.count() == 0)
      let all = try randomEntries(0..<100)
      try await writer.add(all)
      #expect(try await reader.count() == 100)
      #expect(try await reader.search(all[3].vector, VectorSearch(limit: 100)).count == 100)
      try await writer.remove(["e3"])
      #expect(
        try await reader.search(all[3].vector, VectorSearch(limit: 100)).map(\.id).contains("e3")
          == false
      )
      await #expect(throws: RetrievalError.self) { try await reader.add(all) }
      await #expect(throws: RetrievalError.self) { try await reader.remove(["e1"]) }
    }
  }

  @Test("uses the rows of what is gone again")
  func rowsAreUsedAgain() async throws {
    try await withFolder { folder in
      let index = try VectorIndex(folder, model: "m", dimension: 8)
      func size() throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(
          atPath: folder.appending("vectors.f32").string
        )
        return attributes[.size] as? Int ?? 0
      }
      try await index.add(randomEntries(0..<100))
      let before = try size()
      for round in 0..<5 {
        try await index.remove((0..<100).map { "e\($0)" })
        try await index.add(randomEntries(0..<100, seed: UInt64(round + 2)))
      }
      #expect(try size() == before)
      // An update needs other rows once, and then has them.
      for round in 0..<5 {
        try await index.update(randomEntries(0..<100, seed: UInt64(round + 20)))
      }
      #expect(try size() <= 2 * before)
      #expect(try await index.count() == 100)
      #expect(try await index.damagedEntries() == [])
    }
  }

  @Test("makes no index of a folder with other things")
  func otherThings() async throws {
    try await withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
      try Data("dear diary".utf8).write(to: URL(filePath: folder.appending("diary.txt").string))
      let error = #expect(throws: RetrievalError.self) {
        try VectorIndex(folder, model: "m", dimension: 8)
      }
      #expect(error?.code == .cannotWrite)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.string) == ["diary.txt"])
    }
  }
}
