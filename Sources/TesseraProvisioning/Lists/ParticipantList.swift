/// Who takes part, with the keys by which they know each other, signed by the authority.
///
/// Sites check each other's advertised keys by it in rounds of secure aggregation: the server cannot swap them.
public struct ParticipantList: Sendable, Hashable, Codable {
  /// A participant with its certificate's number and its signing key.
  public struct Entry: Sendable, Hashable, Codable {
    /// Who.
    public var participant: Participant
    /// The serial number of the certificate that is in use, hexadecimal.
    public var serial: String
    /// Those of the certificates before it, for the same key, each of which is good until its own end.
    public var earlierSerials: [String]?
    /// Whether it came by a request of its own, whose keys the authority never had; `nil` in lists of before.
    public var isRequested: Bool?
    /// The Ed25519 public key, base64.
    public var signingKey: String

    /// An entry.
    public init(participant: Participant, serial: String, signingKey: String) {
      self.participant = participant
      self.serial = serial
      self.signingKey = signingKey
    }
  }

  /// The federation's name.
  public var project: String
  /// Grows with each change: an older list never replaces a newer one.
  public var number: Int
  /// The participants, in the order in which they came.
  public var entries: [Entry]

  /// A list.
  public init(project: String, number: Int = 0, entries: [Entry] = []) {
    self.project = project
    self.number = number
    self.entries = entries
  }

  /// The entry of that name, whatever the case of its letters.
  public subscript(name: String) -> Entry? {
    entries.first { $0.participant.name.lowercased() == name.lowercased() }
  }

  /// The servers, the first being the one to connect to first.
  public var servers: [Participant] {
    entries.map(\.participant).filter { $0.kind == .server }
  }
}
