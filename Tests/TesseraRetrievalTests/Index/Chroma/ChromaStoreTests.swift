import Foundation
import SystemPackage
import TesseraRetrieval
import TesseraRetrievalTesting
import Testing

@Suite("A collection of a Chroma server", .timeLimit(.minutes(20)))
struct ChromaStoreTests {
  private let chroma: TestChroma

  init() throws { chroma = try TestChroma.shared.get() }

  @Test("keeps the laws of stores", arguments: [3, 64])
  func laws(dimension: Int) async throws {
    await expectVectorStoreLaws(
      try await ChromaStore(chroma.collection(), model: "m", dimension: dimension)
    )
  }

  @Test("is the same to another client, which may be another's model's or only read")
  func openedAgain() async throws {
    let address = chroma.collection()
    var all = try randomEntries(0..<300)
    all[7].metadata = ["title": .text("\"नमस्ते\"\n\u{1}\\"), "n": 7.25, "whole": 3, "is": true]
    let store = try await ChromaStore(address, model: "m", dimension: 8)
    try await store.add(all)
    let reader = try await ChromaStore(address, model: "m", dimension: 8, access: .reading)
    #expect(try await reader.count() == 300)
    #expect(try await reader.entries(all.map(\.id)) == all)
    #expect(try await reader.digests(after: nil, limit: 1000).map(\.id) == all.map(\.id).sorted())
    await #expect(throws: RetrievalError.self) { try await reader.add(randomEntries(300..<301)) }
    await #expect(throws: RetrievalError.self) { try await reader.remove(["e1"]) }
    for (model, dimension) in [("other", 8), ("m", 9)] {
      let error = await #expect(throws: RetrievalError.self) {
        try await ChromaStore(address, model: model, dimension: dimension)
      }
      #expect(error?.code == .wrongModel)
    }
    let error = await #expect(throws: RetrievalError.self) {
      try await ChromaStore(chroma.collection(), model: "m", dimension: 8, access: .reading)
    }
    #expect(error?.code == .missingFile)
  }

  @Test("finds nearly all that a comparison with every vector finds, on each page")
  func recall() async throws {
    let all = try randomEntries(0..<2000, dimension: 16)
    let store = try await ChromaStore(chroma.collection(), model: "m", dimension: 16)
    for start in stride(from: 0, to: 2000, by: 500) {
      try await store.add(Array(all[start..<start + 500]))
    }
    let queries = try randomEntries(0..<20, dimension: 16, seed: 9).map(\.vector)
    var (hits, count) = (0, 0)
    for (filter, isAllowed) in [
      (nil, { _ in true }),
      // Which the server knows, and which it does not.
      ("n < 500", { $0 < 500 }), (#"not (n < 1900)"#, { $0 >= 1900 }),
    ] as [(String?, (Int) -> Bool)] {
      let search = VectorSearch(limit: 10, filter: try filter.map { try VectorFilter($0) })
      let found = try await store.search(queries, search)
      for (query, matches) in zip(queries, found) {
        let scores = all.enumerated().filter { isAllowed($0.offset) }.map { _, entry in
          (entry.id, zip(query, entry.vector).reduce(0) { $0 + $1.0 * $1.1 })
        }
        let best = Set(scores.sorted { $0.1 > $1.1 }.prefix(10).map(\.0))
        hits += best.intersection(matches.map(\.id)).count
        count += 10
        #expect(matches.count == 10)
        for match in matches {
          let number = try #require(Int(match.id.dropFirst()))
          #expect(isAllowed(number))
        }
      }
    }
    #expect(Double(hits) / Double(count) >= 0.95)
  }

  @Test("is filled by an indexer, which goes on where it was")
  func indexing() async throws {
    let store = try await ChromaStore(chroma.collection(), model: "m", dimension: 8)
    let all = try randomEntries(0..<20)
    try await store.add(Array(all.prefix(10)))
    var changed = all[3]
    changed.metadata = [:]
    try await store.update([changed])
    #expect(try await store.entry("e3") == changed)
    #expect(try await store.remove(["e4", "none"]) == 1)
    #expect(try await store.digests(after: "e2", limit: 3).map(\.id) == ["e3", "e5", "e6"])
    #expect(try await store.digests(after: "e8", limit: 3).map(\.id) == ["e9"])
  }

  @Test("says what hinders it")
  func refusals() async throws {
    func error(_ address: String) async -> RetrievalError? {
      await #expect(throws: RetrievalError.self, "\(address)") {
        try await ChromaStore(address, model: "m", dimension: 8)
      }
    }
    for address in [
      "", "pictures", "ftp://127.0.0.1/x", "http://127.0.0.1", "http://127.0.0.1/a/b",
      "http://127.0.0.1/a?b=c", "http:///x",
    ] {
      #expect(await error(address)?.code == .invalidArgument, "\(address)")
    }
    // Nobody listens there.
    let silent = try await error("http://127.0.0.1:\(TestChroma.freePort())/pictures")
    #expect(silent?.code == .unavailable)
    #expect(silent?.message.contains("127.0.0.1") == true)
    // A name that the server refuses.
    #expect(await error("\(chroma.server)/x")?.code == .invalidArgument)
    #expect(await error("\(chroma.server)/none/none/pictures") != nil)

    let store = try await ChromaStore(chroma.collection(), model: "m", dimension: 8)
    for name in ["#x", "$x", "chroma:x", "tessera:digest"] {
      var entry = try #require(try randomEntries(0..<1).first)
      entry.metadata[name] = "x"
      let refused = await #expect(throws: RetrievalError.self) { try await store.add([entry]) }
      #expect(refused?.code == .invalidArgument && refused?.message.contains(name) == true)
    }
    let many = await #expect(throws: RetrievalError.self) {
      try await store.add(randomEntries(0..<100_000))
    }
    #expect(many?.code == .invalidArgument)
    #expect(try await store.count() == 0)
  }
}
