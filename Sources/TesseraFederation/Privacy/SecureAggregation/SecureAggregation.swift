/// How updates are summed so that nobody sees a single one: the settings of ``Controller/gather(_:_:from:securelyBy:quorum:)``.
///
/// With ``Noise`` the sum is differentially private towards the server too, and no single party knows the noise.
public struct SecureAggregation: Sendable, Hashable {
  /// The largest magnitude of an element of an update.
  public var bound: Double
  /// Whether elements beyond the bound are moved to it; the update is refused otherwise.
  public var clips: Bool
  /// Who may be corrupt or drop out: gives the number of neighbours that a site shares its secrets with.
  public var assumptions: NeighbourhoodBounds
  /// Noise that the sites add together.
  public var noise: Noise?

  /// Noise for central differential privacy that the sites add together.
  ///
  /// Updates are differences then, clipped to a norm, and all weigh the same.
  public struct Noise: Sendable, Hashable, Codable {
    /// The largest Euclidean norm of a site's difference, over all floating tensors.
    public var clipNorm: Double
    /// The deviation of the noise in the sum, as a multiple of the clip norm, towards a server that works together with as many
    /// sites as are assumed to be corrupt.
    public var multiplier: Double

    /// Noise.
    ///
    /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
    public init(clipNorm: Double, multiplier: Double) throws {
      guard clipNorm > 0, clipNorm.isFinite, multiplier > 0, multiplier.isFinite else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "the clip norm and the noise multiplier must be numbers above 0"
        )
      }
      self.clipNorm = clipNorm
      self.multiplier = multiplier
    }

    private enum Key: String, CodingKey { case clipNorm, multiplier }

    /// Reads noise and checks it: it comes from a server that may be anyone.
    ///
    /// - Throws: `DecodingError`, or ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
    public init(from decoder: any Decoder) throws {
      let fields = try decoder.container(keyedBy: Key.self)
      try self.init(
        clipNorm: fields.decode(Double.self, forKey: .clipNorm),
        multiplier: fields.decode(Double.self, forKey: .multiplier)
      )
    }
  }

  /// Settings; the bound suits weights of networks as they are usually made.
  public init(
    bound: Double = 64,
    clips: Bool = false,
    assumptions: NeighbourhoodBounds = NeighbourhoodBounds(),
    noise: Noise? = nil
  ) {
    self.bound = bound
    self.clips = clips
    self.assumptions = assumptions
    self.noise = noise
  }
}
