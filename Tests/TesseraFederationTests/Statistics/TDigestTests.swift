import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct TDigestTests {
  private static func values(_ count: Int, seed: UInt64, _ shape: (Double) -> Double) -> [Double] {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: seed))
    return (0..<count).map { _ in shape(Double.random(in: 0..<1, using: &numbers)) }
  }

  /// By how much the share of values below one misses `q`.
  private static func shareError(_ value: Double, _ q: Double, _ sorted: [Double]) -> Double {
    let below = Double(sorted.count { $0 < value }) / Double(sorted.count)
    let upTo = Double(sorted.count { $0 <= value }) / Double(sorted.count)
    return max(0, below - q, q - upTo)
  }

  @Test func groupsOfOneGiveTheQuantilesOfLinearInterpolation() {
    let digest = TDigest(of: [4, 1, 3, 2], compression: 10_000)
    // numpy.quantile([1, 2, 3, 4], [0, 0.1, 0.5, 1])
    for (q, value) in [(0, 1), (0.1, 1.3), (0.5, 2.5), (1, 4)] {
      #expect(abs((digest.quantile(q) ?? .nan) - value) < 1e-12)
    }
    #expect(TDigest(of: []).quantile(0.5) == nil)
    #expect(TDigest(of: [7]).quantile(0.9) == 7)
  }

  @Test(arguments: [0, 1, 2])
  func quantilesAreWithinTheStatedShare(shape: Int) {
    let values = Self.values(20_000, seed: 3) { u in
      [u, -log(1 - u), u < 0.5 ? u : u + 100][shape]
    }
    let sorted = values.sorted()
    let parts = stride(from: 0, to: values.count, by: 4_000).map {
      TDigest(of: Array(values[$0..<($0 + 4_000)]), compression: 100)
    }
    let whole = TDigest(of: values, compression: 100)
    let merged = TDigest(merging: parts, compression: 100)
    #expect(whole.count == 20_000 && merged.count == 20_000)
    #expect(whole.centroids.count < 110 && merged.centroids.count < 110)
    for q in [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999] {
      let bound = 2 * Double.pi * (q * (1 - q)).squareRoot() / 100 + 1e-3
      #expect(Self.shareError(whole.quantile(q) ?? .nan, q, sorted) < bound)
      #expect(Self.shareError(merged.quantile(q) ?? .nan, q, sorted) < 2 * bound)
    }
  }

  @Test func noGroupIsSmallerThanAllowed() {
    let values = Self.values(503, seed: 1) { $0 }
    let digest = TDigest(of: values, compression: 1000, smallestGroup: 7)
    #expect(digest.centroids.allSatisfy { $0.weight >= 7 })
    #expect(digest.count == 503)
    #expect(digest.centroids.map(\.mean) == digest.centroids.map(\.mean).sorted())
    #expect(!digest.centroids.contains { $0.mean == values.max() })
  }
}
