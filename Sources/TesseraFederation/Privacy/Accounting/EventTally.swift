/// Events with one entry for each mechanism, in the order in which they first came.
struct EventTally: Sendable {
  private(set) var events: [PrivacyEvent] = []
  private var positions: [PrivacyMechanism: Int] = [:]
  private var neighbors: PrivacyMechanism.Neighbors?
  /// The first mechanism that leaves to its sensitivity what neighbours are.
  private var open: PrivacyMechanism?
  /// What simple composition of (ε, 0)-DP gives, often infinity.
  private(set) var pureEpsilon = 0.0

  /// Adds an event; a failure changes nothing.
  mutating func add(_ event: PrivacyEvent) throws {
    try event.validate()
    guard event.count > 0 else { return }
    if let wanted = event.mechanism.neighbors, let neighbors, wanted != neighbors {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          mechanisms for neighbours of two kinds (\(neighbors.rawValue), \(wanted.rawValue)) cannot be \
          composed
          """
      )
    }
    if let open = event.mechanism.neighbors == nil ? event.mechanism : open,
      let kind = event.mechanism.neighbors ?? neighbors, kind == .replace
    {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          '\(open.name)' cannot be composed with a sample without replacement, whose neighbours have one record \
          replaced: replacing one may change what '\(open.name)' releases by twice what adding or removing one does
          """
      )
    }
    if let position = positions[event.mechanism] {
      let (count, overflow) = events[position].count.addingReportingOverflow(event.count)
      guard !overflow else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "a mechanism was used more often than can be counted"
        )
      }
      events[position].count = count
    } else {
      positions[event.mechanism] = events.count
      events.append(event)
    }
    neighbors = neighbors ?? event.mechanism.neighbors
    if event.mechanism.neighbors == nil { open = open ?? event.mechanism }
    pureEpsilon += event.mechanism.pureEpsilon * Double(event.count)
  }
}
