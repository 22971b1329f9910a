import TesseraCore
import TesseraFederation
import Testing

@Suite struct ShamirSharingTests {
  static func random(_ count: Int, _ numbers: inout KeyedRandomNumbers) -> [UInt8] {
    (0..<count).map { _ in .random(in: 0...255, using: &numbers) }
  }

  @Test func everyThresholdOfSharesGivesTheSecretBack() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1))
    let sharing = try ShamirSharing(threshold: 3, count: 6)
    let secret = Self.random(32, &numbers)
    let shares = try sharing.shares(of: secret, using: &numbers)
    #expect(shares.map(\.index) == Array(1...6))
    #expect(shares.allSatisfy { $0.bytes.count == 32 && $0.bytes != secret })
    for a in shares {
      for b in shares where b.index != a.index {
        for c in shares where c.index != a.index && c.index != b.index {
          #expect(try sharing.secret(of: [a, b, c]) == secret)
        }
      }
    }
    #expect(try sharing.secret(of: shares) == secret)
  }

  @Test(arguments: [(1, 1), (1, 4), (2, 2), (7, 13), (40, 61), (200, 300)])
  func sharesOfManySizesWork(threshold: Int, count: Int) throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 2)[count])
    let sharing = try ShamirSharing(threshold: threshold, count: count)
    for length in [2, 32] {
      let secret = Self.random(length, &numbers)
      let shares = try sharing.shares(of: secret, using: &numbers).shuffled(using: &numbers)
      #expect(try sharing.secret(of: Array(shares.prefix(threshold))) == secret)
    }
  }

  @Test func fewerSharesFitEverySecret() throws {
    // With one share of two and any secret in mind there is a line through both: the second share decides.
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 3))
    let sharing = try ShamirSharing(threshold: 2, count: 2)
    let shares = try sharing.shares(of: [1, 2], using: &numbers)
    var secrets: Set<[UInt8]> = []
    for low in 0...255 {
      let second = ShamirSharing.Share(index: 2, bytes: [UInt8(low), 0])
      secrets.insert(try sharing.secret(of: [shares[0], second]))
    }
    #expect(secrets.count == 256)
  }

  @Test func oneShareSaysNothingAboutTheSecret() throws {
    // A share of either secret is evenly distributed: each of 16 bits is set half of the time.
    for secret in [[UInt8](repeating: 0, count: 2), [255, 255]] {
      var numbers = KeyedRandomNumbers(key: RandomKey(seed: 4))
      let sharing = try ShamirSharing(threshold: 2, count: 3)
      var ones = [Int](repeating: 0, count: 16)
      let draws = 4000
      for _ in 0..<draws {
        let bytes = try sharing.shares(of: secret, using: &numbers)[2].bytes
        let word = UInt16(bytes[0]) | UInt16(bytes[1]) << 8
        for bit in 0..<16 where word >> bit & 1 == 1 { ones[bit] += 1 }
      }
      let deviation = (Double(draws) / 4).squareRoot()
      for count in ones { #expect(abs(Double(count) - Double(draws) / 2) < 5 * deviation) }
    }
  }

  @Test func sharesOfASumAreSumsOfShares() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 5))
    let sharing = try ShamirSharing(threshold: 3, count: 5)
    let one = Self.random(32, &numbers)
    let other = Self.random(32, &numbers)
    let sum = zip(
      try sharing.shares(of: one, using: &numbers),
      try sharing.shares(of: other, using: &numbers)
    ).map { ShamirSharing.Share(index: $0.index, bytes: zip($0.bytes, $1.bytes).map { $0 ^ $1 }) }
    #expect(try sharing.secret(of: sum) == zip(one, other).map { $0 ^ $1 })
  }

  @Test func sharesThatCannotBeAreRefused() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 6))
    let sharing = try ShamirSharing(threshold: 3, count: 5)
    let shares = try sharing.shares(of: Self.random(32, &numbers), using: &numbers)
    func expectRefusal(
      _ text: String,
      _ shares: [ShamirSharing.Share],
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let error = #expect(throws: FederationError.self, sourceLocation: sourceLocation) {
        _ = try sharing.secret(of: shares)
      }
      #expect(error?.code == .protocolViolation, sourceLocation: sourceLocation)
      #expect(error?.message.contains(text) ?? false, sourceLocation: sourceLocation)
    }
    expectRefusal("2 shares where 3 are needed", Array(shares.prefix(2)))
    expectRefusal("0 shares", [])
    expectRefusal("one index", [shares[0], shares[1], shares[1]])
    expectRefusal("one index", [shares[0], shares[1], shares[2], shares[0]])
    var other = shares[2]
    other.bytes.removeLast(2)
    expectRefusal("different lengths", [shares[0], shares[1], other])
    for index in [0, -1, 6, 65_536] {
      other = shares[2]
      other.index = index
      expectRefusal("not in 1...5", [shares[0], shares[1], other])
    }
  }

  @Test func secretsAndSizesThatCannotBeAreRefused() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 7))
    for (threshold, count) in [(0, 3), (4, 3), (1, 0), (-1, 5), (2, 65_536)] {
      #expect(throws: FederationError.self) {
        try ShamirSharing(threshold: threshold, count: count)
      }
    }
    let sharing = try ShamirSharing(threshold: 1, count: 1)
    for length in [0, 1, 33] {
      #expect(throws: FederationError.self) {
        try sharing.shares(of: [UInt8](repeating: 1, count: length), using: &numbers)
      }
    }
    #expect(throws: FederationError.self) {
      try sharing.secret(of: [ShamirSharing.Share(index: 1, bytes: [1])])
    }
  }
}
