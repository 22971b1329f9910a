/// The sessions of secure aggregation that one site takes part in, each of which answers one request at a time.
struct SessionTable<Session: Sendable>: Sendable {
  private enum Place {
    /// Waits for the next request.
    case idle(Session)
    /// A request is being answered.
    case busy
  }
  private var places: [String: Place] = [:]
  /// The names of the sessions that were begun, the latest last.
  private var begun: [String] = []

  /// A server that begins sessions and never ends them costs no more memory than these.
  static var mostOpen: Int { 8 }
  /// How many names that were used are known; one that comes again after that does no harm, as the keys are new.
  static var mostKnown: Int { 256 }

  /// Begins a session, which is then busy.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if the name was used.
  mutating func begin(_ name: String) throws {
    guard places[name] == nil, !begun.contains(name) else {
      throw Self.violation("a session that was begun already is begun again")
    }
    let idle = begun.filter { if case .idle = places[$0] { true } else { false } }
    // Whoever begins more sessions has given the oldest up.
    for old in idle.prefix(max(0, places.count + 1 - Self.mostOpen)) { places[old] = nil }
    guard places.count < Self.mostOpen else {
      throw Self.violation("\(places.count) sessions are at work already")
    }
    begun.append(name)
    begun.removeFirst(max(0, begun.count - Self.mostKnown))
    places[name] = .busy
  }

  /// Takes a session to answer a request; it is then busy.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if it is busy, over, or was never begun.
  mutating func take(_ name: String) throws -> Session {
    switch places[name] {
    case .idle(let session):
      places[name] = .busy
      return session
    case .busy: throw Self.violation("a request while another of its session is being answered")
    case nil: throw Self.violation("a request of a session that is over, or was not begun here")
    }
  }

  /// Puts a session back, for the next request.
  mutating func putBack(_ session: Session, _ name: String) { places[name] = .idle(session) }

  /// Forgets a session with all its secrets.
  mutating func end(_ name: String) { places[name] = nil }

  static func violation(_ message: String) -> FederationError {
    FederationError(code: .protocolViolation, message: "secure aggregation: \(message)")
  }
}
