import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import Testing

@Suite("An index that is killed, cut off, changed or out of room")
struct VectorIndexDamageTests {
  /// What a process that is to be killed does, and says before and after each step.
  private enum Step {
    static let dimension = 6

    static func entry(_ id: Int, _ version: Int) -> VectorEntry {
      VectorEntry(
        id: "e\(id)",
        vector: (0..<dimension).map { Float(id) + Float(version * ($0 + 1)) / 1024 },
        metadata: ["version": .number(Double(version)), "even": .boolean(id % 2 == 0)],
        digest: "v\(version)"
      )
    }

    /// The ids of step `number`: of some that are there, or not yet.
    static func ids(_ number: Int) -> [Int] {
      (0..<1 + number % 13).map { (number * 7 + $0) % 200 }
    }

    /// Carries a step out: what is not there is added; what is there is updated, or in every fourth step removed.
    static func run(_ number: Int, on index: VectorIndex) async throws {
      let ids = ids(number)
      let found = try await index.entries(ids.map { "e\($0)" })
      let old = zip(ids, found).filter { $1 != nil }.map(\.0)
      let new = zip(ids, found).filter { $1 == nil }.map(\.0)
      if number % 4 == 3 {
        try await index.remove(old.map { "e\($0)" })
      } else if number % 2 == 0 {
        try await index.add(new.map { entry($0, number) })
      } else {
        try await index.update(old.map { entry($0, number) })
      }
    }

    /// What is there after a step, if `before` was there.
    static func result(_ number: Int, _ before: [Int: Int]) -> [Int: Int] {
      var after = before
      for id in ids(number) {
        if number % 4 == 3 {
          after[id] = nil
        } else if (number % 2 == 0) == (before[id] == nil) {
          after[id] = number
        }
      }
      return after
    }
  }

  @Test(
    "after kills at random moments, what was told is there once, and nothing else",
    .timeLimit(.minutes(20))
  )
  func kills() async throws {
    try await withFolder { folder in
      let log = FilePath(folder.string + ".log")
      defer { try? FileManager.default.removeItem(atPath: log.string) }
      try Data().write(to: URL(filePath: log.string))
      var state: [Int: Int] = [:]
      var (known, done) = (0, 0)
      // A busy machine needs more of them until something has been written.
      for round in 0..<60 where round < 12 || done <= 20 {
        // The first ones come while the folder is made.
        let microseconds = round < 4 ? 500 * round : Int.random(in: 1_000...120_000)
        await #expect(processExitsWith: .signal(SIGKILL)) {
          [
            folder = folder.string as String, log = log.string as String, done = done as Int,
            microseconds = microseconds as Int
          ] in
          Thread {
            usleep(UInt32(microseconds))
            kill(getpid(), SIGKILL)
          }.start()
          let file = try #require(FileHandle(forWritingAtPath: log))
          try file.seekToEnd()
          let index = try VectorIndex(FilePath(folder), model: "m", dimension: Step.dimension)
          for number in done... {
            try file.write(contentsOf: Data("begin \(number)\n".utf8))
            try await Step.run(number, on: index)
            try file.write(contentsOf: Data("end \(number)\n".utf8))
          }
        }
        let lines = try String(contentsOfFile: log.string, encoding: .utf8).split(separator: "\n")
        let begun = lines.last { $0.hasPrefix("begin ") }.flatMap { Int($0.dropFirst(6)) }
        let ended = lines.last { $0.hasPrefix("end ") }.flatMap { Int($0.dropFirst(4)) }
        while done <= ended ?? -1 {
          state = Step.result(done, state)
          done += 1
        }
        let index = try VectorIndex(folder, model: "m", dimension: Step.dimension)
        var listed: [Int: Int] = [:]
        for (id, digest) in try await index.digests(after: nil, limit: 1000) {
          let (number, version) = try (
            #require(Int(id.dropFirst())), #require(Int(digest.dropFirst()))
          )
          #expect(listed.updateValue(version, forKey: number) == nil, "\(id) is there twice")
        }
        // The step that was going on is done as a whole, or not at all.
        if listed != state, let begun, begun == done {
          state = Step.result(done, state)
          done += 1
        }
        #expect(listed == state, "round \(round)")
        #expect(try await index.count() == state.count)
        #expect(try await index.damagedEntries() == [])
        for (id, version) in state {
          #expect(try await index.entry("e\(id)") == Step.entry(id, version))
        }
        let all = try await index.search(
          [Float](repeating: 1, count: Step.dimension),
          VectorSearch(limit: 1000)
        )
        #expect(Set(all.map(\.id)).count == all.count && all.count == state.count)
        known = max(known, state.count)
        state = listed
      }
      #expect(done > 20 && known > 5, "the kills came before anything was written")
    }
  }

  @Test(
    "a full disk is an error that names the file, and nothing is half there",
    .enabled(if: geteuid() == 0, "only root can mount a small one")
  )
  func fullDisk() async throws {
    try await withFolder { small in
      try FileManager.default.createDirectory(
        atPath: small.string,
        withIntermediateDirectories: true
      )
      try run("/usr/bin/mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", small.string)
      defer { try? run("/usr/bin/umount", "-l", small.string) }
      let folder = small.appending("index")
      let index = try VectorIndex(folder, model: "m", dimension: 64)
      var count = 0
      let error = await #expect(throws: RetrievalError.self) {
        while count < 100_000 {
          try await index.add(randomEntries(count..<count + 10, dimension: 64))
          count += 10
        }
      }
      #expect(error?.code == .cannotWrite)
      #expect(error?.message.contains(folder.string) == true)
      #expect(error?.message.contains("disk is full") == true)
      #expect(count > 10)
      #expect(try await index.count() == count)
      #expect(try await index.damagedEntries() == [])
      try run("/usr/bin/mount", "-o", "remount,size=30m", small.string)
      try await index.add(randomEntries(count..<count + 10, dimension: 64))
      #expect(try await index.count() == count + 10)
    }
  }

  @Test("a file that is cut off is named")
  func truncation() async throws {
    for (file, sizes) in [
      ("vectors.f32", [0, 100, 4096, 4096 + 99]), ("entries.sqlite", [1, 1000, 5000]),
    ] {
      for size in sizes {
        try await withFolder { folder in
          do { try await VectorIndex(folder, model: "m", dimension: 8).add(randomEntries(0..<100)) }
          let path = folder.appending(file)
          try FileHandle(forUpdating: URL(filePath: path.string)).truncate(atOffset: UInt64(size))
          let error = await #expect(throws: RetrievalError.self) {
            let index = try VectorIndex(folder, model: "m", dimension: 8)
            _ = try await index.search(randomEntries(0..<1)[0].vector, VectorSearch())
          }
          #expect(error?.message.contains(path.string) == true, "\(error?.message ?? "no error")")
        }
      }
    }
  }

  @Test("a vector that was changed is found, and not handed out")
  func mutation() async throws {
    try await withFolder { folder in
      do { try await VectorIndex(folder, model: "m", dimension: 8).add(randomEntries(0..<100)) }
      let file = try FileHandle(forUpdating: URL(filePath: folder.appending("vectors.f32").string))
      try file.seek(toOffset: 4096 + 17 * 32 + 5)
      try file.write(contentsOf: Data([0xFF]))
      try file.close()
      let index = try VectorIndex(folder, model: "m", dimension: 8)
      #expect(try await index.damagedEntries() == ["e17"])
      let error = await #expect(throws: RetrievalError.self) { try await index.entries(["e17"]) }
      #expect(error?.code == .malformedFile && error?.message.contains("e17") == true)
      // It can be made anew.
      try await index.update([randomEntries(0..<100)[17]])
      #expect(try await index.damagedEntries() == [])
    }
  }

  @Test(
    "a database of which bytes were changed ends in errors, never in a crash",
    .timeLimit(.minutes(20))
  )
  func mutatedDatabase() async throws {
    try await withFolder { folder in
      let all = try randomEntries(0..<60)
      do { try await VectorIndex(folder, model: "m", dimension: 8).add(all) }
      let path = folder.appending("entries.sqlite").string
      let original = try Data(contentsOf: URL(filePath: path))
      var generator = SystemRandomNumberGenerator()
      for _ in 0..<60 {
        var changed = original
        for _ in 0..<4 {
          changed[Int.random(in: 0..<changed.count, using: &generator)] = UInt8.random(
            in: 0...255,
            using: &generator
          )
        }
        for name in ["entries.sqlite-wal", "entries.sqlite-shm"] {
          try? FileManager.default.removeItem(atPath: folder.appending(name).string)
        }
        try changed.write(to: URL(filePath: path))
        do {
          let index = try VectorIndex(folder, model: "m", dimension: 8)
          _ = try await index.search(all[0].vector, VectorSearch(filter: VectorFilter("n < 30")))
          _ = try await index.entries(all.map(\.id))
          _ = try await index.damagedEntries()
          try await index.remove(["e1"])
          try await index.update([all[2]])
        } catch is RetrievalError {
          // As it should.
        }
      }
    }
  }

  private func run(_ program: String, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(program) \(arguments)")
  }
}
