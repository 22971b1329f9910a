import Foundation
import Synchronization
import SystemPackage
import TesseraCore
import TesseraRetrieval

/// An acceleration that compares with all vectors that it knows, and says what it was asked to do.
final class RecordedAcceleration: VectorAcceleration {
  struct Record {
    /// The rows that each call has added, the first of which is the building.
    var added: [[Int]] = []
    var writingFails = false
  }

  let name = "recorded"
  let record = Mutex(Record())
  private let onBuild: @Sendable () -> Void

  /// Calls `onBuild` in the middle of each building.
  init(onBuild: @escaping @Sendable () -> Void = {}) { self.onBuild = onBuild }

  func build(_ vectors: Tensor, rows: [Int]) throws -> any NeighborProposals {
    onBuild()
    let proposals = Proposals(acceleration: self, known: [])
    try proposals.add(vectors, rows: rows)
    return proposals
  }

  func read(_ path: FilePath) throws -> any NeighborProposals {
    let data = try Data(contentsOf: URL(filePath: path.string))
    return Proposals(
      acceleration: self,
      known: try JSONDecoder().decode([Proposals.Known].self, from: data)
    )
  }

  final class Proposals: NeighborProposals {
    struct Known: Codable {
      var row: Int
      var vector: [Float]
    }

    private let acceleration: RecordedAcceleration
    private var known: [Known]

    init(acceleration: RecordedAcceleration, known: [Known]) {
      self.acceleration = acceleration
      self.known = known
    }

    var count: Int { known.count }

    func add(_ vectors: Tensor, rows: [Int]) throws {
      let (numbers, width) = (try vectors.array(of: Float.self), vectors.shape[1])
      known += rows.enumerated().map { index, row in
        Known(row: row, vector: Array(numbers[index * width..<(index + 1) * width]))
      }
      acceleration.record.withLock { $0.added.append(rows) }
    }

    func proposals(for queries: Tensor, count: Int) throws -> [[Int]] {
      let (numbers, width) = (try queries.array(of: Float.self), queries.shape[1])
      return (0..<queries.shape[0]).map { number in
        let query = numbers[number * width..<(number + 1) * width]
        let scores = known.map { zip(query, $0.vector).reduce(0) { $0 + $1.0 * $1.1 } }
        return known.indices.sorted { scores[$0] > scores[$1] }.prefix(count).map { known[$0].row }
      }
    }

    func write(to path: FilePath) throws {
      guard !acceleration.record.withLock(\.writingFails) else { throw Errno.noSpace }
      try JSONEncoder().encode(known).write(to: URL(filePath: path.string))
    }
  }
}
