import Foundation

/// SciPy's results, made by `Fixtures/secure_aggregation.py`.
struct SecureAggregationFixtures: Decodable {
  struct Neighbourhood: Decodable {
    /// Sites, corrupt fraction, drop-out fraction, bits of security and of correctness.
    var assumptions: [Double]
    /// Degree and threshold; nothing if the graph must be complete.
    var result: [Int]?
  }

  struct Probabilities: Decodable {
    var variance: Int
    /// Of the numbers from -60 to 60.
    var values: [Double]
  }

  struct Epsilon: Decodable {
    var variance: Int
    var count: Int
    var sensitivity: Double
    var dimension: Int
    var epsilon: Double
  }

  var neighbourhoods: [Neighbourhood]
  var probabilities: [Probabilities]
  var epsilons: [Epsilon]

  static func load() throws -> SecureAggregationFixtures {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let file = tests.appending(path: "Fixtures/secure_aggregation.json")
    return try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }
}
