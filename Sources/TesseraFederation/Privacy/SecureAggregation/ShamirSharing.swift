/// A secret divided so that any `threshold` of its shares give it back, and fewer say nothing about it (Shamir, 1979).
///
/// Each pair of bytes is shared by a polynomial of its own over GF(2^16), of degree `threshold − 1`, whose value at 0 is
/// the pair; share number `i` holds the values at `i`. A share is as long as the secret.
public struct ShamirSharing: Sendable, Hashable {
  /// One share of a secret.
  public struct Share: Sendable, Hashable {
    /// Where the polynomials were evaluated, from 1.
    public var index: Int
    /// As many bytes as the secret has.
    public var bytes: [UInt8]

    /// A share.
    public init(index: Int, bytes: [UInt8]) {
      self.index = index
      self.bytes = bytes
    }
  }

  /// The most shares that a secret can have.
  public static let largestCount = 65_535

  /// How many shares give the secret back.
  public let threshold: Int
  /// How many shares there are.
  public let count: Int

  /// A way of sharing.
  ///
  /// - Parameters:
  ///   - threshold: How many shares give the secret back, in `1...count`.
  ///   - count: How many shares there are, in `1...largestCount`.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(threshold: Int, count: Int) throws {
    guard (1...Self.largestCount).contains(count), (1...count).contains(threshold) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          a secret cannot have \(count) shares of which \(threshold) give it back: there may be \
          1 to \(Self.largestCount) shares, and the threshold is at most their number
          """
      )
    }
    self.threshold = threshold
    self.count = count
  }

  /// The shares of a secret, numbered from 1.
  ///
  /// - Parameters:
  ///   - secret: An even number of bytes, at least 2.
  ///   - numbers: Where the polynomials are drawn from; must be a cryptographic source for the shares to hide anything.
  /// - Returns: ``count`` shares, each as long as the secret.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if the length is odd or 0.
  /// - Complexity: O(`secret.count` · `threshold` · `count`).
  public func shares(
    of secret: [UInt8],
    using numbers: inout some RandomNumberGenerator
  ) throws -> [Share] {
    let words = try Self.words(secret)
    let polynomials = words.map { word in
      [word]
        + (1..<threshold).map { _ in GaloisField16(bits: .random(in: 0...0xffff, using: &numbers)) }
    }
    return (1...count).map { index in
      let place = GaloisField16(bits: UInt16(index))
      let values = polynomials.map { coefficients in
        coefficients.reversed().reduce(.zero) { $0 * place + $1 }
      }
      return Share(index: index, bytes: Self.bytes(values))
    }
  }

  /// The secret of some shares, by Lagrange's interpolation at 0 through the first ``threshold`` of them.
  ///
  /// Shares that were changed give another secret, not an error: who needs to know compares with a commitment.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if there are too few shares, an
  ///   index comes twice or is not in `1...count`, or the lengths differ.
  public func secret(of shares: [Share]) throws -> [UInt8] {
    guard shares.count >= threshold, let length = shares.first?.bytes.count else {
      throw violation("\(shares.count) shares where \(threshold) are needed")
    }
    guard shares.allSatisfy({ $0.bytes.count == length }) else {
      throw violation("shares of different lengths")
    }
    guard shares.allSatisfy({ (1...count).contains($0.index) }) else {
      throw violation("a share whose index is not in 1...\(count)")
    }
    guard Set(shares.map(\.index)).count == shares.count else {
      throw violation("two shares with one index")
    }
    let used = shares.prefix(threshold)
    let places = used.map { GaloisField16(bits: UInt16($0.index)) }
    var secret = [GaloisField16](repeating: .zero, count: length / 2)
    for (share, place) in zip(used, places) {
      var numerator = GaloisField16.one
      var denominator = GaloisField16.one
      for other in places where other != place {
        numerator = numerator * other
        denominator = denominator * (other + place)
      }
      let factor = numerator * denominator.inverse
      for (position, word) in try Self.words(share.bytes).enumerated() {
        secret[position] = secret[position] + factor * word
      }
    }
    return Self.bytes(secret)
  }

  private func violation(_ message: String) -> FederationError {
    FederationError(code: .protocolViolation, message: message)
  }

  private static func words(_ bytes: [UInt8]) throws -> [GaloisField16] {
    guard !bytes.isEmpty, bytes.count.isMultiple(of: 2) else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "secrets and shares have an even number of bytes, not \(bytes.count)"
      )
    }
    return stride(from: 0, to: bytes.count, by: 2).map {
      GaloisField16(bits: UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8)
    }
  }

  private static func bytes(_ words: [GaloisField16]) -> [UInt8] {
    words.flatMap { [UInt8(truncatingIfNeeded: $0.bits), UInt8($0.bits >> 8)] }
  }
}
