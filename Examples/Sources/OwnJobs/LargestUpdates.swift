import Tessera
import TesseraConfiguration
import TesseraFederation

/// The mean of the updates with the largest weights.
struct LargestUpdates: CollectiveRule {
  let keeping: Int

  init(_ arguments: Mapping) throws {
    keeping = try arguments.optional("keeping", .integer(in: 1...1000), default: 2)
  }

  func plan(for updates: CollectedUpdates) throws -> [Int] {
    let order = updates.weights.indices.sorted { updates.weights[$0] > updates.weights[$1] }
    return Array(order.prefix(keeping))
  }

  func combine(_ chunk: UpdateChunk, _ plan: [Int]) throws -> Tensor {
    try (chunk.rows(of: plan) ?? chunk.values).mean(along: 0)
  }
}
