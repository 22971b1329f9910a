public import TesseraDeployment
internal import TesseraProvisioning

/// What happens to the connections of a server: for its log.
public enum ServerConnectionEvent: Sendable, Hashable, CustomStringConvertible {
  /// A site has opened a connection, from an address, with the certificate of a serial number.
  case connected(site: String, address: String, serial: String)
  /// A site's connection is over, and why, if it did not just end.
  case disconnected(site: String, reason: String?)
  /// Somebody was not let in, or what it sent was not taken.
  case refused(peer: String, reason: String)
  /// Another list of revoked certificates is in force.
  case revocations(number: Int)
  /// The list of revoked certificates was changed, and cannot be used; the one before it stays in force.
  case unusableRevocations(reason: String)
  /// Another program listens at the port; it is waited for.
  case portIsTaken(Int)

  /// The event in words.
  public var description: String {
    switch self {
    case .connected(let site, let address, _): "\(site) is connected from \(address)"
    case .disconnected(let site, let reason):
      "\(site) is not connected any longer\(reason.map { ": \($0)" } ?? "")"
    case .refused(let peer, let reason): "\(peer) was refused: \(reason)"
    case .revocations(let number): "list \(number) of revoked certificates is in force"
    case .unusableRevocations(let reason):
      "a changed list of revoked certificates is not used: \(reason)"
    case .portIsTaken(let port): "another program listens at port \(port): waiting for it to end"
    }
  }

  /// As an audit log tells it; lists of revoked certificates are signed, and tell themselves.
  public var audited: AuditEvent? {
    switch self {
    case .connected(let site, let address, let serial):
      .connected(name: site, kind: .site, address: address, serial: serial)
    case .disconnected(let site, let reason):
      .disconnected(name: site, reason: reason ?? "it has ended")
    case .refused(let peer, let reason): .connectionRefused(address: peer, reason: reason)
    case .revocations, .unusableRevocations, .portIsTaken: nil
    }
  }
}
