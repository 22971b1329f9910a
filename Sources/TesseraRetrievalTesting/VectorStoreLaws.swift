public import TesseraRetrieval
public import Testing

/// Records an issue for every law of ``VectorStore`` that a store breaks.
///
/// What is added can be looked up and found, in the order of its scores, page by page; what is updated is found by its new vector and metadata only; what
/// is removed is gone; a call that throws has changed nothing; filters mean what they mean in Swift.
///
/// - Parameters:
///   - store: Is empty, of a dimension of at least 3, and is empty again afterwards.
///   - sourceLocation: Where issues are recorded.
public func expectVectorStoreLaws(
  _ store: any VectorStore,
  sourceLocation: SourceLocation = #_sourceLocation
) async {
  do {
    let laws = VectorStoreLaws(store: store, sourceLocation: sourceLocation)
    try await laws.checkEntries()
    try await laws.checkSearch()
    try await laws.checkFilters()
    try await laws.checkRefusals()
    try await laws.checkNearDuplicates()
    try await laws.clear()
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}

private struct VectorStoreLaws {
  let store: any VectorStore
  let sourceLocation: SourceLocation

  /// A unit vector in a plane, at an angle: its score for another is the cosine of the difference.
  private func vector(_ degrees: Double) -> [Float] {
    var vector = [Float](repeating: 0, count: store.dimension)
    let (x, y) = Self.direction(degrees)
    vector[0] = Float(x)
    vector[1] = Float(y)
    return vector
  }

  /// The direction at a multiple of 10 degrees, by turning.
  private static func direction(_ degrees: Double) -> (Double, Double) {
    let (cosine, sine) = (0.984_807_753_012_208, 0.173_648_177_666_930_3)
    var point = (1.0, 0.0)
    for _ in 0..<Int(degrees / 10) {
      point = (point.0 * cosine - point.1 * sine, point.0 * sine + point.1 * cosine)
    }
    return point
  }

  private func entry(_ number: Int) -> VectorEntry {
    VectorEntry(
      id: "birds/\(number).png",
      vector: vector(Double(number) * 10),
      metadata: [
        "language": number % 2 == 0 ? "hi" : "sw", "size": .number(Double(number)),
        "is-drawn": .boolean(number % 3 == 0), "title": .text("नमस्ते \"\(number)\" 🐦"),
      ],
      digest: "digest \(number)"
    )
  }

  func clear() async throws {
    while case let ids = try await store.digests(after: nil, limit: 100).map(\.id), !ids.isEmpty {
      try await store.remove(ids)
    }
    #expect(try await store.count() == 0, sourceLocation: sourceLocation)
  }

  func checkEntries() async throws {
    #expect(
      try await store.count() == 0,
      "a store to check is empty",
      sourceLocation: sourceLocation
    )
    #expect(
      try await store.search([vector(0)], VectorSearch()) == [[]],
      sourceLocation: sourceLocation
    )
    try await store.add([])
    try await store.add((0..<8).map(entry))
    #expect(try await store.count() == 8, sourceLocation: sourceLocation)
    let found = try await store.entries(["birds/3.png", "none", "birds/1.png"])
    #expect(found == [entry(3), nil, entry(1)], sourceLocation: sourceLocation)

    var changed = entry(2)
    changed.vector = vector(90)
    changed.metadata = ["language": "cy"]
    changed.digest = "other"
    try await store.update([changed])
    #expect(try await store.entry("birds/2.png") == changed, sourceLocation: sourceLocation)
    #expect(
      try await store.search(vector(90), VectorSearch(limit: 1)).map(\.id) == ["birds/2.png"],
      sourceLocation: sourceLocation
    )
    #expect(
      try await store.search(
        vector(20),
        VectorSearch(filter: .equals("language", "hi"))
      ).contains { $0.id == "birds/2.png" } == false,
      sourceLocation: sourceLocation
    )

    #expect(
      try await store.remove(["birds/2.png", "none", "birds/5.png"]) == 2,
      sourceLocation: sourceLocation
    )
    #expect(try await store.count() == 6, sourceLocation: sourceLocation)
    #expect(try await store.entries(["birds/2.png"]) == [nil], sourceLocation: sourceLocation)
    let rest = try await store.search(vector(90), VectorSearch(limit: 100))
    #expect(
      rest.map(\.id) == [7, 6, 4, 3, 1, 0].map { "birds/\($0).png" },
      sourceLocation: sourceLocation
    )
    try await store.add([entry(2), entry(5)])
    #expect(try await store.entries(["birds/2.png"]) == [entry(2)], sourceLocation: sourceLocation)

    var listed: [(id: String, digest: String)] = []
    while true {
      let page = try await store.digests(after: listed.last?.id, limit: 3)
      listed += page
      if page.count < 3 { break }
    }
    #expect(listed.map(\.id) == (0..<8).map { "birds/\($0).png" }, sourceLocation: sourceLocation)
    #expect(listed.map(\.digest) == (0..<8).map { "digest \($0)" }, sourceLocation: sourceLocation)
  }

  func checkSearch() async throws {
    let queries = [vector(0), vector(70), vector(30)]
    let found = try await store.search(queries, VectorSearch(limit: 8))
    for (query, matches) in zip([0, 70, 30], found) {
      #expect(
        Set(matches.map(\.id)) == Set((0..<8).map { "birds/\($0).png" }),
        sourceLocation: sourceLocation
      )
      for match in matches {
        let number = try #require(Int(match.id.dropFirst(6).dropLast(4)))
        let cosine = Self.direction(Double(abs(query - number * 10))).0
        #expect(abs(Double(match.score) - cosine) < 1e-5, sourceLocation: sourceLocation)
        #expect(match.metadata == entry(number).metadata, sourceLocation: sourceLocation)
      }
      #expect(
        matches.map(\.score) == matches.map(\.score).sorted(by: >),
        sourceLocation: sourceLocation
      )
    }
    var pages: [VectorMatch] = []
    for offset in stride(from: 0, to: 10, by: 3) {
      pages += try await store.search(vector(0), VectorSearch(limit: 3, offset: offset))
    }
    #expect(pages.map(\.id) == found[0].map(\.id), sourceLocation: sourceLocation)
    let near = try await store.search(vector(0), VectorSearch(threshold: 0.9))
    #expect(
      near.map(\.id) == ["birds/0.png", "birds/1.png", "birds/2.png"],
      sourceLocation: sourceLocation
    )
    #expect(
      try await store.search(vector(0), VectorSearch(limit: 0)) == [],
      sourceLocation: sourceLocation
    )
    #expect(try await store.search([], VectorSearch()) == [], sourceLocation: sourceLocation)
  }

  func checkFilters() async throws {
    let all = (0..<8).map(entry)
    for text in [
      #"language = "hi""#, #"language != "hi""#, "size > 3", "size <= 3 and is-drawn = true",
      "size in 2..4", #"language in ("hi", "cy") or size = 7"#, "not (size < 5)", "has title",
      "has nothing", #"not has nothing and title glob "न*3*""#, #"id prefix "birds/1""#,
      #"id glob "birds/[0-4].png""#, #"id glob "birds/?.png" and size >= 6"#, #"size = "3""#,
      #"language > "hi""#, "true", "false", "language = true", #"id = "birds/4.png""#,
    ] {
      let filter = try VectorFilter(text)
      let expected = all.filter { filter.isFulfilled(id: $0.id, metadata: $0.metadata) }
      let found = try await store.search(vector(0), VectorSearch(limit: 100, filter: filter))
      #expect(
        found.map(\.id) == expected.map(\.id),
        "the filter \(text) finds others",
        sourceLocation: sourceLocation
      )
      let page = try await store.search(
        vector(0),
        VectorSearch(limit: 2, offset: 1, filter: filter)
      )
      #expect(
        page.map(\.id) == expected.dropFirst().prefix(2).map(\.id),
        "the filter \(text) finds others on a page",
        sourceLocation: sourceLocation
      )
    }
  }

  func checkRefusals() async throws {
    let new = entry(30)
    var short = new
    short.vector.removeLast()
    var infinite = new
    infinite.vector[0] = .infinity
    var nameless = new
    nameless.id = ""
    var twice = new
    twice.metadata["id"] = "x"
    let refused: [(String, [VectorEntry], RetrievalError.Code)] = [
      ("an id that is there", [new, entry(1)], .alreadyThere),
      ("a short vector", [new, short], .invalidArgument),
      ("infinity", [infinite], .invalidArgument),
      ("no id", [new, nameless], .invalidArgument),
      ("an id twice", [new, new], .invalidArgument),
      ("metadata called id", [twice], .invalidArgument),
    ]
    for (what, entries, code) in refused {
      let error = await #expect(
        throws: RetrievalError.self,
        "\(what) is accepted",
        sourceLocation: sourceLocation
      ) { try await store.add(entries) }
      #expect(error?.code == code, "\(what)", sourceLocation: sourceLocation)
    }
    let error = await #expect(throws: RetrievalError.self, sourceLocation: sourceLocation) {
      try await store.update([entry(1), new])
    }
    #expect(error?.code == .notThere, sourceLocation: sourceLocation)
    for (queries, search) in [
      ([short.vector], VectorSearch()), ([infinite.vector], VectorSearch()),
      ([vector(0)], VectorSearch(limit: -1)), ([vector(0)], VectorSearch(offset: -1)),
      ([vector(0)], VectorSearch(threshold: .nan)),
    ] {
      await #expect(throws: RetrievalError.self, sourceLocation: sourceLocation) {
        try await store.search(queries, search)
      }
    }
    #expect(
      try await store.count() == 8,
      "a refused call changed something",
      sourceLocation: sourceLocation
    )
    #expect(try await store.entry("birds/1.png") == entry(1), sourceLocation: sourceLocation)
  }

  func checkNearDuplicates() async throws {
    var copy = entry(4)
    copy.id = "copies/4.png"
    try await store.add([copy])
    let pairs = try await store.nearDuplicates(atLeast: 0.999, limit: 10)
    #expect(pairs.count == 1, sourceLocation: sourceLocation)
    #expect(
      pairs.first.map { Set([$0.first, $0.second]) } == ["birds/4.png", "copies/4.png"],
      sourceLocation: sourceLocation
    )
    // Neighbours, and those of the copy.
    #expect(
      try await store.nearDuplicates(atLeast: 0.98, limit: 100).count == 1 + 7 + 2,
      sourceLocation: sourceLocation
    )
    let one = try await store.nearDuplicates(atLeast: 0.98, limit: 1)
    #expect(one == pairs, sourceLocation: sourceLocation)
    #expect(try await store.remove(["copies/4.png"]) == 1, sourceLocation: sourceLocation)
  }
}
