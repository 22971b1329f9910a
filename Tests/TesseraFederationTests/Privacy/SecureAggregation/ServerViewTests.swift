import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct ServerViewTests {
  typealias Simulation = SecureAggregationSimulation

  static func maskedVectors(
    _ vectors: [[UInt64]],
    secrets: SecretSource
  ) throws -> (masked: [Int: [UInt64]], sum: [UInt64]) {
    let configuration = try SecureAggregationConfiguration(
      session: "view",
      round: 1,
      sites: Array(vectors.indices),
      degree: vectors.count - 1,
      threshold: vectors.count / 2 + 1,
      vectorLength: vectors[0].count
    )
    var simulation = Simulation(
      configuration: configuration,
      vectors: Dictionary(uniqueKeysWithValues: vectors.enumerated().map { ($0, $1) })
    )
    simulation.secrets = secrets
    guard case .sum(let sum) = try simulation.run() else {
      Issue.record("there is no sum")
      return ([:], [])
    }
    var masked: [Int: [UInt64]] = [:]
    for case (let site, .masked(let vector)) in simulation.answers {
      masked[site] = vector.elements
    }
    return (masked, sum.elements)
  }

  /// How far the number of set bits is from half of all, in standard deviations of fair coins.
  static func imbalance(_ vector: [UInt64]) -> Double {
    let bits = Double(vector.count * 64)
    let ones = Double(vector.reduce(0) { $0 + $1.nonzeroBitCount })
    return abs(ones - bits / 2) / (bits.squareRoot() / 2)
  }

  @Test func maskedVectorsLookLikeCoinFlipsWhateverTheInputs() throws {
    let length = 2000
    for fill in [0, 1, UInt64.max] {
      let vectors = [[UInt64]](repeating: [UInt64](repeating: fill, count: length), count: 4)
      let (masked, sum) = try Self.maskedVectors(
        vectors,
        secrets: .reproducible(RandomKey(seed: fill))
      )
      #expect(masked.count == 4)
      #expect(sum == [UInt64](repeating: fill &* 4, count: length))
      var all = masked.values.map { $0 }
      // Sums of some of them are as opaque: a pair's mask cancels, those with others stay.
      all.append(zip(all[0], all[1]).map { $0 &+ $1 })
      all.append(zip(all[2], all[4]).map { $0 &+ $1 })
      for vector in all {
        #expect(Self.imbalance(vector) < 5)
        #expect(Set(vector).count == length, "64-bit numbers repeat within a vector")
      }
      for (one, other) in zip(all, all.dropFirst()) {
        #expect(Self.imbalance(zip(one, other).map { $0 ^ $1 }) < 5)
      }
    }
  }

  @Test func inputsWithOneSumGiveViewsThatDifferEverywhereButInTheSum() throws {
    let length = 500
    let one = [[UInt64]](repeating: [UInt64](repeating: 1, count: length), count: 3)
    var other = one
    other[0] = other[0].map { $0 &+ 1000 }
    other[1] = other[1].map { $0 &- 1000 }
    let first = try Self.maskedVectors(one, secrets: .system)
    let second = try Self.maskedVectors(other, secrets: .system)
    #expect(first.sum == second.sum)
    for site in 0..<3 {
      let pairs = zip(first.masked[site] ?? [], second.masked[site] ?? [])
      #expect(pairs.allSatisfy { $0 != $1 })
      #expect(Self.imbalance(pairs.map { $0 &- $1 }) < 5)
    }
  }

  @Test func noMessageHoldsAVectorOrASecretInTheClear() throws {
    var simulation = try Simulation(sites: 4, threshold: 3, length: 8)
    simulation.dropouts = [3: .maskVector]
    _ = try simulation.run()
    let inputs = Set(simulation.vectors.values.flatMap { $0 })
    var sharesOf: [Int: Int] = [:]
    for (_, answer) in simulation.answers {
      switch answer {
      case .masked(let vector): #expect(inputs.isDisjoint(with: vector.elements))
      case .unmasking(let shares):
        let kept = Set(shares.selfMaskShares.map(\.site))
        #expect(kept.isDisjoint(with: shares.maskKeyShares.map(\.site)))
        for site in shares.maskKeyShares.map(\.site) { sharesOf[site, default: 0] += 1 }
      default: break
      }
    }
    #expect(sharesOf == [3: 3])
  }
}
