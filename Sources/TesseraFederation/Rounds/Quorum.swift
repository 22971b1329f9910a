/// Which answers a task needs, and how long they are waited for.
///
/// There is one rule for waiting: progress resets the clock. A site that says nothing, neither that it is at work nor an
/// answer, for as long as ``patience`` is given up.
public struct Quorum: Sendable, Hashable {
  /// How many usable answers there must be.
  public var minimum: Int
  /// The names of sites without whose answer the round cannot be completed.
  public var mandatory: Set<String>
  /// How long the others are still waited for once the minimum and all mandatory sites have answered.
  ///
  /// `nil`: until each has answered or been given up.
  public var waitAfterMinimum: Duration?
  /// How long a site may say nothing.
  ///
  /// `nil`: for ever.
  public var patience: Duration?

  /// A quorum; by default one answer is enough, and all are waited for.
  public init(
    minimum: Int = 1,
    mandatory: Set<String> = [],
    waitAfterMinimum: Duration? = nil,
    patience: Duration? = nil
  ) {
    self.minimum = minimum
    self.mandatory = mandatory
    self.waitAfterMinimum = waitAfterMinimum
    self.patience = patience
  }

  /// All that are asked must answer.
  public static func all(of sites: [Site]) -> Quorum {
    Quorum(minimum: sites.count, mandatory: Set(sites.map(\.name)))
  }

  /// Refuses what no round could meet.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public func validate(for sites: [Site]) throws {
    func invalid(_ message: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: message)
    }
    guard (0...sites.count).contains(minimum) else {
      throw invalid("the minimum of sites must be in 1...\(sites.count), not \(minimum)")
    }
    guard !mandatory.isEmpty else { return }
    if let missing = mandatory.subtracting(sites.map(\.name)).sorted().first {
      throw invalid("the mandatory site '\(missing)' is not among those that are asked")
    }
  }
}
