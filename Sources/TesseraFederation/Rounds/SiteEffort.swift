/// What a site's part in a round took.
///
/// For people who look for what is slow: no result depends on it, and no record compares it.
public struct SiteEffort: Sendable, Hashable {
  /// How long its answers took, from the question to the answer that was used.
  public var seconds = 0.0
  /// The bytes of tensors that it was sent.
  public var bytesDown = 0
  /// The bytes of tensors that it answered with.
  public var bytesUp = 0

  /// Nothing yet.
  public init() {}

  init(seconds: Double, bytesDown: Int, bytesUp: Int) {
    self.seconds = seconds
    self.bytesDown = bytesDown
    self.bytesUp = bytesUp
  }

  /// Adds what another task took.
  public static func += (a: inout SiteEffort, b: SiteEffort) {
    a.seconds += b.seconds
    a.bytesDown = a.bytesDown.addingUpToLimit(b.bytesDown)
    a.bytesUp = a.bytesUp.addingUpToLimit(b.bytesUp)
  }

  /// The numbers by the names that curves have.
  var metrics: [String: Double] {
    ["seconds": seconds, "bytesDown": Double(bytesDown), "bytesUp": Double(bytesUp)]
  }
}
