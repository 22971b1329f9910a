/// A site of the federation as a ``JobScheduler`` sees it.
public struct ScheduledSite: Sendable, Hashable {
  /// The name in its certificate.
  public var name: String
  /// Whether it is there.
  public var isConnected: Bool
  /// Whether somebody has said that it is given no new jobs.
  public var isDisabled: Bool
  /// What it has in all; `nil` as long as it has never said so.
  public var resources: Resources?

  /// A site.
  public init(
    name: String,
    isConnected: Bool,
    isDisabled: Bool = false,
    resources: Resources? = nil
  ) {
    self.name = name
    self.isConnected = isConnected
    self.isDisabled = isDisabled
    self.resources = resources
  }
}
