/// A mechanism, used a number of times on the same data.
///
///     let training = PrivacyEvent(.subsampledGaussian(noiseMultiplier: 1.1, samplingRate: 0.01), count: 1_000)
public struct PrivacyEvent: Codable, Sendable, Hashable {
  /// What was used.
  public var mechanism: PrivacyMechanism
  /// How often, at least 0.
  public var count: Int

  /// Makes an event; accountants check it.
  public init(_ mechanism: PrivacyMechanism, count: Int = 1) {
    self.mechanism = mechanism
    self.count = count
  }

  /// Checks the mechanism and the count.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func validate() throws {
    try mechanism.validate()
    guard count >= 0 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "a mechanism cannot be used \(count) times"
      )
    }
  }
}
