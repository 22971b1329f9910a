import CSearchReference
import Foundation
import Measuring
import SystemPackage
import TesseraCore
import TesseraRetrieval

/// Exact search in an index of vectors of 640 numbers, against what it cannot be faster than and against Faiss.
@main
struct Main {
  static let dimension = 640
  static let threads = ProcessInfo.processInfo.activeProcessorCount

  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst()
    let rows = arguments.first.flatMap { Int($0) } ?? 1_000_000
    let rounds = arguments.dropFirst().first.flatMap { Int($0) } ?? 9
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "search-\(UUID().uuidString)"
    )
    defer { try? FileManager.default.removeItem(at: folder) }
    let lane = ComputeLane(threads: threads)
    let index = try VectorIndex(
      FilePath(folder.path),
      model: "benchmark",
      dimension: dimension,
      lane: lane
    )
    let start = ContinuousClock.now
    try await fill(index, rows)
    let filling = (ContinuousClock.now - start) / .seconds(1)
    print("filling: \(rows) vectors in \(Int(filling)) s")

    let data = try Data(
      contentsOf: folder.appending(path: "vectors.f32"),
      options: .alwaysMapped
    )
    let queries = try vectors(64, seed: 3)
    let memory = Memory(data: data, rows: rows)
    try await Task(executorPreference: lane) {
      try await memory.measure(index, queries, rounds)
    }.value
  }

  static func vectors(_ count: Int, seed: UInt64) throws -> [[Float]] {
    let numbers = try Tensor.normal([count, dimension], using: Generator(seed: seed))
      .array(of: Float.self)
    return (0..<count).map { row in
      let vector = numbers[row * dimension..<(row + 1) * dimension]
      let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return vector.map { $0 / length }
    }
  }

  static func fill(_ index: VectorIndex, _ rows: Int) async throws {
    let step = 5000
    for start in stride(from: 0, to: rows, by: step) {
      let entries = try vectors(min(step, rows - start), seed: UInt64(start + 7)).enumerated()
        .map { VectorEntry(id: "picture-\(start + $0.offset)", vector: $0.element) }
      try await index.add(entries)
    }
  }
}

/// The vectors' file, mapped.
struct Memory: Sendable {
  let data: Data
  let rows: Int

  private func withRows<Result>(_ body: (UnsafePointer<Float>) throws -> Result) rethrows -> Result?
  {
    try data.withUnsafeBytes { bytes in
      try (bytes.baseAddress).map { try body(($0 + 4096).assumingMemoryBound(to: Float.self)) }
    }
  }

  func measure(_ index: VectorIndex, _ queries: [[Float]], _ rounds: Int) async throws {
    let flatQueries = Array(queries.joined())
    let dimension = Main.dimension
    let flat = withRows { search_reference_flat($0, Int64(rows), Int64(dimension)) }
    guard let flat else { return }
    defer { search_reference_flat_free(flat) }
    var sink: Float = 0
    for count in [1, 64] {
      let some = Array(queries.prefix(count))
      var (ours, limit, peer): ([Double], [Double], [Double]) = ([], [], [])
      // The first one finds the pages.
      for round in -1..<rounds {
        let start = ContinuousClock.now
        let found = try await index.search(some, VectorSearch(limit: 10))
        let searching = (ContinuousClock.now - start) / .seconds(1)
        let bound = withRows { rows in
          seconds {
            if count == 1 {
              sink += search_reference_read(
                rows,
                Int64(self.rows * dimension),
                Int32(Main.threads)
              )
            } else {
              search_reference_product(
                flatQueries,
                Int64(count),
                rows,
                Int64(self.rows),
                Int64(dimension)
              )
            }
          }
        }
        var scores = [Float](repeating: 0, count: count * 10)
        var labels = [Int64](repeating: 0, count: count * 10)
        let theirs = seconds {
          search_reference_flat_search(flat, flatQueries, Int64(count), &scores, &labels)
        }
        guard found.flatMap({ $0.map(\.id) }) == labels.map({ "picture-\($0)" }) else {
          print("Faiss finds others")
          exit(1)
        }
        guard round >= 0, let bound else { continue }
        ours.append(searching)
        limit.append(bound)
        peer.append(theirs)
      }
      let gigabytes = Double(rows * dimension * 4) / 1e9
      func text(_ time: Double) -> String {
        count == 1
          ? String(format: "%.1f ms (%.1f GB/s)", time * 1e3, gigabytes / time) : milliseconds(time)
      }
      report(
        "exact search of \(rows) × \(dimension), batch \(count)",
        ours: text(median(ours)),
        theirs: (count == 1 ? "reading the same memory " : "LibTorch's product alone ")
          + text(median(limit)),
        ratio: median(zip(ours, limit).map { $0 / $1 }),
        limit: count == 1 ? 1 / 0.9 : 1 / 0.8
      )
      report(
        "exact search of \(rows) × \(dimension), batch \(count)",
        ours: text(median(ours)),
        theirs: "Faiss's flat index " + text(median(peer)),
        ratio: median(zip(ours, peer).map { $0 / $1 }),
        limit: 1
      )
    }
    if sink == .infinity { print("") }
  }
}
