import Foundation
import SystemPackage
import TesseraCore
import TesseraData
import TesseraRetrieval
import Testing

@Suite("Indexing pictures")
struct PictureIndexerTests {
  /// Mean red, green and blue, and one: enough to tell pictures of one colour apart.
  private let indexer: PictureIndexer = {
    var indexer = PictureIndexer(resolution: 4) { pixels in
      let means = try (pixels.to(.float32) * (1.0 / 255)).mean(along: [2, 3])
      return try concatenate([means, .ones([pixels.shape[0], 1])], along: 1)
    }
    indexer.batch = 3
    return indexer
  }()

  private func write(_ color: [UInt8], to path: FilePath) throws {
    try FileManager.default.createDirectory(
      atPath: path.removingLastComponent().string,
      withIntermediateDirectories: true
    )
    let pixels = color.flatMap { [UInt8](repeating: $0, count: 30) }
    try ImageFile.writePNG(try Tensor(pixels, shape: [3, 5, 6]), to: path)
  }

  @Test("adds what is new, updates what has changed, leaves the rest alone")
  func incremental() async throws {
    try await withFolder { folder in
      let pictures = folder.appending("pictures")
      for number in 0..<8 {
        try write([UInt8(number * 30), 0, 0], to: pictures.appending("a/\(number).png"))
      }
      try write([0, 255, 0], to: pictures.appending("green.PNG"))
      try Data("no picture".utf8).write(to: URL(filePath: pictures.appending("notes.txt").string))
      let store = try VectorIndex(folder.appending("index"), model: "m", dimension: 4)
      var seen: [Int] = []
      let first = try await indexer.index(ListedPicture.all(in: pictures), into: store) {
        seen.append($0.done)
      }
      #expect(first.added == 9 && first.done == 9 && first.total == 9 && first.skipped == [])
      #expect(seen.last == 9 && seen == seen.sorted())
      #expect(
        try await store.search([0, 1, 0, 0], VectorSearch(limit: 1)).map(\.id) == ["green.PNG"]
      )

      try write([255, 255, 255], to: pictures.appending("a/3.png"))
      try FileManager.default.removeItem(atPath: pictures.appending("a/5.png").string)
      let second = try await indexer.index(ListedPicture.all(in: pictures), into: store)
      #expect(
        second.unchanged == 7 && second.updated == 1 && second.added == 0 && second.removed == 0
      )
      let white = try #require(try await store.entry("a/3.png")).vector
      #expect(white.allSatisfy { abs($0 - 1) < 1e-5 })
      #expect(try await store.count() == 9)
      let third = try await indexer.index(
        ListedPicture.all(in: pictures),
        into: store,
        removesOthers: true
      )
      #expect(third.unchanged == 8 && third.removed == 1)
      #expect(try await store.entry("a/5.png") == nil)
    }
  }

  @Test("names what cannot be read, and goes on; what is there of it stays")
  func corrupt() async throws {
    try await withFolder { folder in
      let pictures = folder.appending("pictures")
      for number in 0..<5 {
        try write([0, 0, UInt8(number)], to: pictures.appending("\(number).png"))
      }
      let store = try VectorIndex(folder.appending("index"), model: "m", dimension: 4)
      _ = try await indexer.index(ListedPicture.all(in: pictures), into: store)
      let file = URL(filePath: pictures.appending("2.png").string)
      try Data(contentsOf: file).prefix(60).write(to: file)
      try Data().write(to: URL(filePath: pictures.appending("5.png").string))
      try Data(repeating: 0x89, count: 5000).write(
        to: URL(filePath: pictures.appending("6.jpg").string)
      )
      try write([9, 9, 9], to: pictures.appending("7.png"))
      var small = indexer
      small.mostBytes = 4000
      let report = try await small.index(
        ListedPicture.all(in: pictures),
        into: store,
        removesOthers: true
      )
      #expect(report.skipped.map(\.id) == ["2.png", "5.png", "6.jpg"])
      for skipped in report.skipped { #expect(skipped.reason.contains(skipped.id)) }
      #expect(report.added == 1 && report.unchanged == 4 && report.removed == 0)
      #expect(try await store.count() == 6)
      small.mostPixels = 20
      #expect(
        try await small.index(
          [ListedPicture(id: "x", path: pictures.appending("7.png"))],
          into: store
        ).skipped.count == 1
      )
    }
  }

  @Test(
    "leaves out what is no file, what a link makes too large, and what has no room",
    .timeLimit(.minutes(20))
  )
  func oddFiles() async throws {
    try await withFolder { folder in
      let pictures = folder.appending("pictures")
      try write([1, 2, 3], to: pictures.appending("a.png"))
      try #require(mkfifo(pictures.appending("pipe.png").string, 0o600) == 0)
      let large = folder.appending("large").string
      try #require(FileManager.default.createFile(atPath: large, contents: nil))
      try #require(truncate(large, 1 << 40) == 0)
      let files = FileManager.default
      try files.createSymbolicLink(
        atPath: pictures.appending("link.png").string,
        withDestinationPath: large
      )
      try files.createSymbolicLink(
        atPath: pictures.appending("nothing.png").string,
        withDestinationPath: "/none"
      )
      try files.createSymbolicLink(
        atPath: pictures.appending("same.png").string,
        withDestinationPath: "a.png"
      )
      // A row of pixels that no square has room for.
      let row = try Tensor([UInt8](repeating: 9, count: 2_700_000), shape: [3, 1, 900_000])
      try ImageFile.writePNG(row, to: pictures.appending("row.png"))
      let store = try VectorIndex(folder.appending("index"), model: "m", dimension: 4)
      let report = try await indexer.index(ListedPicture.all(in: pictures), into: store)
      #expect(report.skipped.map(\.id) == ["link.png", "nothing.png", "pipe.png", "row.png"])
      for skipped in report.skipped { #expect(skipped.reason.contains(skipped.id)) }
      #expect(report.added == 2)
    }
  }

  @Test("has the same vector of a large picture, which is made smaller by bands")
  func largePicture() async throws {
    try await withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
      let (height, width) = (1500, 2100)
      // Darker to the right and below.
      let pixels = (0..<3).flatMap { plane in
        (0..<height * width).map { UInt8(($0 / width / 10 + $0 % width / 30 + plane * 9) % 256) }
      }
      let image = try Tensor(pixels, shape: [3, height, width])
      let resized = try ImageFile.resized(image, height: 50, width: 70).to(.float32)
      for (y, x) in [(0, 0), (25, 30), (49, 69)] {
        let covered = try image.slices(in: y * 30..<y * 30 + 30, along: 1)
          .slices(in: x * 30..<x * 30 + 30, along: 2).to(.float32).mean(along: [1, 2])
        for plane in 0..<3 {
          let difference = abs(
            try resized[plane, y, x].item() - covered[plane].item()
          )
          // The filter reaches a little beyond.
          #expect(difference <= 3, "\(plane) \(y) \(x)")
        }
      }
    }
  }

  @Test("goes on where it was stopped")
  func resuming() async throws {
    try await withFolder { folder in
      let pictures = folder.appending("pictures")
      for number in 0..<10 {
        try write([UInt8(number), 1, 1], to: pictures.appending("\(number).png"))
      }
      let store = try VectorIndex(folder.appending("index"), model: "m", dimension: 4)
      struct Stop: Error {}
      var calls = 0
      var failing = PictureIndexer(resolution: 4) { pixels in
        calls += 1
        if calls == 3 { throw Stop() }
        return try .ones([pixels.shape[0], 4])
      }
      failing.batch = 2
      await #expect(throws: Stop.self) {
        try await failing.index(ListedPicture.all(in: pictures), into: store)
      }
      #expect(try await store.count() == 4)
      let report = try await indexer.index(ListedPicture.all(in: pictures), into: store)
      #expect(report.unchanged == 4 && report.added == 6)
    }
  }

  @Test("takes the tables that data sets are made of, as any program writes them")
  func otherTables() async throws {
    try await withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
      func listed(_ name: String, _ text: String) throws -> [ListedPicture] {
        let path = folder.appending(name)
        try text.write(toFile: path.string, atomically: true, encoding: .utf8)
        return try ListedPicture.all(in: path)
      }
      let expected = ["a.png", "b.png"].map {
        ListedPicture(id: $0, path: folder.appending($0), metadata: ["text": "x"])
      }
      #expect(try listed("a.csv", "picture,text\na.png,x\nb.png,x") == expected)
      #expect(try listed("a.tsv", "image\ttext\r\na.png\tx\r\nb.png\tx\r\n") == expected)
      let line = { (name: String) in "{\"picture\": \"\(name)\", \"text\": \"x\", \"none\": null}" }
      #expect(try listed("a.jsonl", "\(line("a.png"))\r\n\r\n\(line("b.png"))") == expected)
      let pictures = try CaptionedPictures.table(folder.appending("a.jsonl"))
      #expect(pictures.items.map(\.id) == expected.map(\.id))
    }
  }

  @Test("reads tables and lists with metadata")
  func lists() async throws {
    try await withFolder { folder in
      try write([255, 0, 0], to: folder.appending("red.png"))
      let table = folder.appending("list.csv")
      try
        "\u{FEFF}path,language,size,note\r\nred.png,hi,12.5,\"a, \"\"b\"\"\nc\"\r\n\r\n/none.png,sw,,true\n"
        .write(toFile: table.string, atomically: true, encoding: .utf8)
      let lines = folder.appending("list.jsonl")
      try """
      {"path": "red.png", "language": "hi", "size": 12.5, "note": "a, \\"b\\"\\nc"}
      {"path": "/none.png", "language": "sw", "note": true}

      """.dropLast().appending("\n").write(toFile: lines.string, atomically: true, encoding: .utf8)
      let expected = [
        ListedPicture(
          id: "red.png",
          path: folder.appending("red.png"),
          metadata: ["language": "hi", "size": 12.5, "note": "a, \"b\"\nc"]
        ),
        ListedPicture(
          id: "/none.png",
          path: "/none.png",
          metadata: ["language": "sw", "note": true]
        ),
      ]
      #expect(try ListedPicture.all(in: table) == expected)
      #expect(try ListedPicture.all(in: lines) == expected)
      let store = try VectorIndex(folder.appending("index"), model: "m", dimension: 4)
      let report = try await indexer.index(expected, into: store)
      #expect(report.added == 1 && report.skipped.map(\.id) == ["/none.png"])
      let found = try await store.search(
        [1, 0, 0, 0],
        VectorSearch(filter: VectorFilter(#"language = "hi" and size > 12"#))
      )
      #expect(found.map(\.metadata) == [expected[0].metadata])
      // Other metadata make another entry.
      var changed = expected[0]
      changed.metadata["size"] = 13
      #expect(try await indexer.index([changed], into: store).updated == 1)
    }
  }

  @Test(
    "names the line of a list that is wrong",
    arguments: [
      ("a.csv", "name\nx\n", 1), ("a.csv", "path,path\na,b\n", 1), ("a.csv", "path,n\na\n", 2),
      ("a.csv", "path\na\n\"b\n", 3), ("a.csv", "path\n\"a\"b\n", 2), ("a.csv", "path\na\na\n", 3),
      ("a.csv", "path,n\n,1\n", 2), ("a.csv", "", 1),
      ("a.jsonl", "{\"path\": \"a\"}\n{\"n\": 1}\n", 2),
      ("a.jsonl", "{\"path\": \"a\", \"n\": [1]}\n", 1),
      ("a.jsonl", "{\"path\": \"a\"}\n{\"path\": \"a\"}\n", 2), ("a.jsonl", "{\"path\": 3}\n", 1),
      ("a.jsonl", "{\"path\": \"a\", \"id\": \"\"}\n", 1),
    ]
  )
  func wrongLists(name: String, text: String, line: Int) async throws {
    try await withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
      let path = folder.appending(name)
      try text.write(toFile: path.string, atomically: true, encoding: .utf8)
      let error = #expect(throws: RetrievalError.self) { try ListedPicture.all(in: path) }
      #expect(error?.message.contains("\(path), line \(line)") == true, "\(error?.message ?? "")")
    }
  }
}
