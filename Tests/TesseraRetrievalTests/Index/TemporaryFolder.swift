import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval

/// Calls `body` with the name of a folder that is not there yet, and is gone afterwards.
func withFolder<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result {
  let path = FileManager.default.temporaryDirectory.appending(path: "index-\(UUID().uuidString)")
    .path
  defer { try? FileManager.default.removeItem(atPath: path) }
  return try await body(FilePath(path))
}

/// Entries with vectors drawn at random, of length 1.
func randomEntries(
  _ range: Range<Int>,
  dimension: Int = 8,
  seed: UInt64 = 1
) throws -> [VectorEntry] {
  let generator = try Generator(seed: seed + UInt64(range.lowerBound) * 7919)
  let drawn = try Tensor.normal([range.count, dimension], using: generator).array(of: Float.self)
  return range.enumerated().map { index, number in
    let row = drawn[index * dimension..<(index + 1) * dimension]
    let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return VectorEntry(
      id: "e\(number)",
      vector: row.map { $0 / length },
      metadata: ["n": .number(Double(number))],
      digest: "d\(number)"
    )
  }
}
