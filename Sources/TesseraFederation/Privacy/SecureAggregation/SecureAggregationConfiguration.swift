internal import Crypto
internal import Foundation

/// What all take for granted in one round of secure aggregation.
///
/// The server sends it to each site before the round; a site decides for itself whether it accepts it. Everything in it
/// goes into the derivation of every key, so sites that were told different things cannot be added up.
public struct SecureAggregationConfiguration: Sendable, Hashable {
  /// What a configuration may be.
  public enum Limits {
    /// How many sites there may be.
    public static let sites = 2...1_000_000
    /// How many elements a vector may have.
    public static let vectorLength = 1...(1 << 32)
    /// How many bytes the name of a session or an agreement may have.
    public static let nameBytes = 1024
  }

  /// The job that the round belongs to.
  public let session: String
  /// The round; no two rounds of a session have the same.
  public let round: Int
  /// The sites that are asked, ascending.
  public let sites: [Int]
  /// How many neighbours a site has: an even number, or all other sites.
  public let degree: Int
  /// How many of a site and its neighbours give a secret of it back.
  public let threshold: Int
  /// How many sites' vectors the sum must be of.
  public let minimumSurvivors: Int
  /// How many elements a vector has.
  public let vectorLength: Int
  /// Whatever else all must agree on, such as ``FixedPointEncoding/fingerprint`` and the kind of noise.
  public let agreement: String
  /// Whether sites sign their keys and the list of survivors, against a server that would forge either.
  public let signed: Bool

  /// A configuration with given neighbourhoods.
  ///
  /// - Parameters:
  ///   - session: The job that the round belongs to.
  ///   - round: The round; no two rounds of a session have the same.
  ///   - sites: Different numbers, not negative.
  ///   - degree: How many neighbours a site has: an even number, or `sites.count − 1`.
  ///   - threshold: How many of a site and its neighbours give a secret of it back: more than half of them, so that a site's
  ///     two secrets cannot be had from the two halves.
  ///   - minimumSurvivors: How many sites' vectors the sum must be of, at least `threshold`, which is taken if `nil`.
  ///   - vectorLength: How many elements a vector has.
  ///   - agreement: Whatever else all must agree on.
  ///   - signed: Whether sites sign their keys and the list of survivors.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    session: String,
    round: Int,
    sites: [Int],
    degree: Int,
    threshold: Int,
    minimumSurvivors: Int? = nil,
    vectorLength: Int,
    agreement: String = "",
    signed: Bool = false
  ) throws {
    self.session = session
    self.round = round
    self.sites = sites.sorted()
    self.degree = degree
    self.threshold = threshold
    self.minimumSurvivors = minimumSurvivors ?? max(threshold, 2)
    self.vectorLength = vectorLength
    self.agreement = agreement
    self.signed = signed
    try validate()
  }

  /// A configuration with the smallest neighbourhoods that some assumptions allow.
  ///
  /// - Parameters:
  ///   - session: The job that the round belongs to.
  ///   - round: The round; no two rounds of a session have the same.
  ///   - sites: Different numbers, not negative.
  ///   - bounds: Who may be corrupt or drop out. The round is abandoned with fewer survivors than are assumed.
  ///   - vectorLength: How many elements a vector has.
  ///   - agreement: Whatever else all must agree on.
  ///   - signed: Whether sites sign their keys and the list of survivors.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(
    session: String,
    round: Int,
    sites: [Int],
    bounds: NeighbourhoodBounds = NeighbourhoodBounds(),
    vectorLength: Int,
    agreement: String = "",
    signed: Bool = false
  ) throws {
    let neighbourhood = try bounds.neighbourhood(of: sites.count)
    // In a complete graph the threshold alone decides whether secrets can be had.
    let complete = neighbourhood.degree == sites.count - 1
    try self.init(
      session: session,
      round: round,
      sites: sites,
      degree: neighbourhood.degree,
      threshold: neighbourhood.threshold,
      minimumSurvivors: complete
        ? nil : max(neighbourhood.threshold, sites.count - bounds.dropouts(of: sites.count)),
      vectorLength: vectorLength,
      agreement: agreement,
      signed: signed
    )
  }

  /// Whether every site is every other's neighbour.
  public var isComplete: Bool { degree == sites.count - 1 }

  private func validate() throws {
    func check(_ holds: Bool, _ message: @autoclosure () -> String) throws {
      guard !holds else { return }
      throw FederationError(
        code: .invalidConfiguration,
        message: "secure aggregation: \(message())"
      )
    }
    let count = sites.count
    try check(Limits.sites.contains(count), "there must be \(Limits.sites) sites, not \(count)")
    try check(
      sites[0] >= 0 && sites[count - 1] <= Int(Int32.max) && Set(sites).count == count,
      "sites are different numbers in 0...\(Int32.max)"
    )
    try check(round >= 0, "the round must not be negative, but is \(round)")
    try check(
      session.utf8.count <= Limits.nameBytes && agreement.utf8.count <= Limits.nameBytes,
      "the session and the agreement have at most \(Limits.nameBytes) bytes each"
    )
    try check(
      Limits.vectorLength.contains(vectorLength),
      "a vector must have \(Limits.vectorLength) elements, not \(vectorLength)"
    )
    try check(
      (1...min(count - 1, ShamirSharing.largestCount - 1)).contains(degree)
        && (degree == count - 1 || degree.isMultiple(of: 2)),
      """
      the degree must be even and at most \(min(count - 1, ShamirSharing.largestCount - 1)), or \
      \(count - 1), not \(degree)
      """
    )
    try check(
      threshold <= degree + 1 && threshold > (degree + 1) / 2,
      """
      the threshold must be above half of the \(degree + 1) in a neighbourhood and at most all, \
      not \(threshold)
      """
    )
    try check(
      (max(threshold, 2)...count).contains(minimumSurvivors),
      "the minimum of survivors must be in \(max(threshold, 2))...\(count), not \(minimumSurvivors)"
    )
  }

  /// A digest of everything above: what keys, ciphertexts, commitments and signatures are bound to.
  var digest: Data {
    var hash = SHA256()
    func add(_ text: String) {
      add(text.utf8.count)
      hash.update(data: Data(text.utf8))
    }
    func add(_ number: Int) {
      withUnsafeBytes(of: UInt64(bitPattern: Int64(number)).littleEndian) {
        hash.update(bufferPointer: $0)
      }
    }
    add("tessera secure aggregation 1")
    add(session)
    add(round)
    add(sites.count)
    for site in sites { add(site) }
    for number in [degree, threshold, minimumSurvivors, vectorLength, signed ? 1 : 0] {
      add(number)
    }
    add(agreement)
    return Data(hash.finalize())
  }
}

extension SecureAggregationConfiguration: Codable {
  private enum Key: String, CodingKey {
    case session, round, sites, degree, threshold, minimumSurvivors, vectorLength, agreement, signed
  }

  /// Reads a configuration and checks it.
  ///
  /// - Throws: `DecodingError`, or ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    try self.init(
      session: fields.decode(String.self, forKey: .session),
      round: fields.decode(Int.self, forKey: .round),
      sites: fields.decode([Int].self, forKey: .sites),
      degree: fields.decode(Int.self, forKey: .degree),
      threshold: fields.decode(Int.self, forKey: .threshold),
      minimumSurvivors: fields.decode(Int.self, forKey: .minimumSurvivors),
      vectorLength: fields.decode(Int.self, forKey: .vectorLength),
      agreement: fields.decode(String.self, forKey: .agreement),
      signed: fields.decode(Bool.self, forKey: .signed)
    )
  }
}
