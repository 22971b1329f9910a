internal import CSEAL

/// The public parameters of the CKKS scheme (Cheon, Kim, Kim and Song, 2017), which encrypts vectors of real numbers.
///
/// A ciphertext holds ``slots`` values. Sums of ciphertexts decrypt to the sums of their values, up to noise of about
/// √``polynomialDegree`` · 4 / 2^``scaleBits`` for each addend: 3e-10 with the ``standard`` parameters. An addend that the public
/// key encrypted has about ``polynomialDegree`` / 6 / 2^``scaleBits``, 1.2e-9, with larger outliers than normal noise has.
///
/// Sums need no multiplication, so a ciphertext need not carry all of the primes that products would use up:
/// ``ciphertextPrimes`` says how many. Fewer make it smaller, and leave less room for large values.
public struct CKKSParameters: Sendable, Hashable {
  /// The degree of the polynomials, a power of two.
  public let polynomialDegree: Int
  /// The size of each prime of the coefficient modulus, in bits; the last prime is used for keys only.
  public let coefficientModulusBits: [Int]
  /// The base-2 logarithm of the scale that values are multiplied by before they are rounded to whole numbers.
  public let scaleBits: Int
  /// How many of the primes, from the first on, a ciphertext is modulo.
  public let ciphertextPrimes: Int
  /// The largest magnitude that an element may have before it is weighted.
  public let largestMagnitude: Double

  /// Makes parameters, and refuses those that are not 128-bit secure.
  ///
  /// Security is judged by the table of the Homomorphic Encryption Standard (Albrecht et al., 2018) for ternary keys and
  /// classical attacks: with degree 8192, the primes have at most 218 bits together.
  ///
  /// - Parameters:
  ///   - polynomialDegree: A power of two in `1024...32768`.
  ///   - coefficientModulusBits: Two primes or more.
  ///   - scaleBits: In `20...60`.
  ///   - ciphertextPrimes: At least one, and fewer than there are primes.
  ///   - largestMagnitude: Above 0. Their bits and the scale's must fit into a ciphertext's primes, with 3 bits to spare.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    polynomialDegree: Int = 8192,
    coefficientModulusBits: [Int] = [60, 40, 40],
    scaleBits: Int = 40,
    ciphertextPrimes: Int = 1,
    largestMagnitude: Double = 65_536
  ) throws {
    self.polynomialDegree = polynomialDegree
    self.coefficientModulusBits = coefficientModulusBits
    self.scaleBits = scaleBits
    self.ciphertextPrimes = ciphertextPrimes
    self.largestMagnitude = largestMagnitude
    // Making the tables is how SEAL checks parameters; whoever uses these makes them once more, in milliseconds.
    _ = try SEALContext(self)
  }

  private init(checkedDegree: Int) {
    polynomialDegree = checkedDegree
    coefficientModulusBits = [60, 40, 40]
    scaleBits = 40
    ciphertextPrimes = 1
    largestMagnitude = 65_536
  }

  /// Degree 8192, primes of 60, 40 and 40 bits, scale 2^40; ciphertexts modulo the first prime.
  ///
  /// Elements may have magnitudes up to 65,536, and weights may add up to 2.
  public static let standard = CKKSParameters(checkedDegree: 8192)

  /// How many values a ciphertext holds: half the degree.
  public var slots: Int { polynomialDegree / 2 }

  /// The most that the weights of all addends of a sum may add up to.
  ///
  /// Beyond it, sums of the largest elements would wrap around the ciphertexts' modulus. Weights that are shares of the
  /// whole, such as a site's examples divided by those of all sites, add up to 1.
  public var largestTotalWeight: Double {
    let bits = coefficientModulusBits.prefix(ciphertextPrimes).reduce(0, +)
    // A coefficient is at most the largest slot's magnitude times the scale. One bit is for the sign, one because a prime
    // is below its power of two, one for noise and rounding.
    return Double(sign: .plus, exponent: bits - 3 - scaleBits, significand: 1) / largestMagnitude
  }
}
