import TesseraCore
import Testing

@Suite("Products of rows and queries that are visited")
struct ProductVisitsTests {
  private struct Visit: Equatable {
    var row: Int
    var query: Int
    var score: Float
  }

  private static func visits(
    _ rows: Tensor,
    _ queries: Tensor,
    above floors: [Float]
  ) throws -> [Visit] {
    var visits: [Visit] = []
    try rows.visitProducts(with: queries, above: floors) { product in
      visits.append(Visit(row: product.row, query: product.query, score: product.score))
      return floors[product.query]
    }
    return visits
  }

  @Test(
    "are those above each query's floor, in ascending order, whatever the number of threads",
    arguments: [1, 2, 3, 4, 5, 17, 64, 70],
    [1, 5, 67]
  )
  func matchesProduct(queries count: Int, dimension: Int) async throws {
    let generator = try Generator(seed: 3)
    // More than one block and one thread's share, and no multiple of what is taken at a time.
    let rows = try Tensor.normal([2311, dimension], using: generator)
    let queries = try Tensor.normal([count, dimension], using: generator)
    let floors = (0..<count).map { Float($0 % 3) }
    let all = try rows.matmul(queries.transposed(0, 1)).array(of: Float.self)
    let found = try await Task(executorPreference: ComputeLane(threads: 1)) {
      try Self.visits(rows, queries, above: floors)
    }.value
    let others = try await Task(executorPreference: ComputeLane(threads: 3)) {
      try Self.visits(rows, queries, above: floors)
    }.value
    #expect(found == others)
    var seen: [[Int]] = Array(repeating: [], count: count)
    for visit in found {
      #expect(visit.score > floors[visit.query])
      #expect(abs(visit.score - all[visit.row * count + visit.query]) < 1e-4)
      seen[visit.query].append(visit.row)
    }
    for query in 0..<count {
      #expect(seen[query] == seen[query].sorted() && Set(seen[query]).count == seen[query].count)
      // What lies at the floor may be rounded to either side.
      let clear = (0..<2311).filter { all[$0 * count + query] > floors[query] + 1e-4 }
      #expect(Set(seen[query]).isSuperset(of: clear))
    }
  }

  @Test("are fewer when floors rise")
  func risingFloors() throws {
    let rows = try Tensor((0..<5000).map { Float(5000 - $0) }, shape: [5000, 1])
    var best: Float = 0
    var count = 0
    try rows.visitProducts(with: .ones([1, 1]), above: [0]) { product in
      count += 1
      best = max(best, product.score)
      return best
    }
    #expect(best == 5000 && count == 1)
  }

  @Test("leave out what is no number")
  func notANumber() throws {
    let rows = try Tensor([1, .nan, .infinity, -1] as [Float], shape: [4, 1])
    for count in [1, 6] {
      let visits = try Self.visits(
        rows,
        .ones([count, 1]),
        above: Array(repeating: -.infinity, count: count)
      )
      #expect(visits.filter { $0.query == 0 }.map(\.row) == [0, 2, 3])
      #expect(visits.count == 3 * count)
    }
  }

  @Test("refuse what does not fit, and are none of nothing")
  func shapes() throws {
    let rows = try Tensor.ones([3, 4])
    for (queries, floors) in try [
      (Tensor.ones([2, 5]), [0, 0]), (Tensor.ones([2, 4]), [0]), (Tensor.ones([4]), [0]),
      (Tensor.ones([1, 4]).to(.float64), [0]),
    ] as [(Tensor, [Float])] {
      let error = #expect(throws: TensorError.self) {
        try rows.visitProducts(with: queries, above: floors) { _ in 0 }
      }
      #expect(error?.code == .shapeMismatch)
    }
    #expect(try Self.visits(.zeros([0, 4]), .ones([1, 4]), above: [-1]) == [])
    #expect(try Self.visits(rows, .zeros([0, 4]), above: []) == [])
  }
}
