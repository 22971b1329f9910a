/// The certificates that are good no longer, signed by the authority.
public struct RevocationList: Sendable, Hashable, Codable {
  /// A certificate that is good no longer.
  public struct Entry: Sendable, Hashable, Codable {
    /// Its serial number, hexadecimal.
    public var serial: String
    /// Whose it was.
    public var name: String
    /// When it was revoked, as ISO 8601.
    public var date: String
    /// Why.
    public var reason: String

    /// An entry.
    public init(serial: String, name: String, date: String, reason: String) {
      self.serial = serial
      self.name = name
      self.date = date
      self.reason = reason
    }
  }

  /// Grows with each change: an older list never replaces a newer one.
  public var number: Int
  /// The revoked certificates.
  public var entries: [Entry]

  /// A list; nothing is revoked by default.
  public init(number: Int = 0, entries: [Entry] = []) {
    self.number = number
    self.entries = entries
  }

  /// The entry of a serial number, if it is revoked.
  public func entry(for serial: String) -> Entry? { entries.first { $0.serial == serial } }
}
