public import TesseraCore

/// A task as it is sent to a site: its content is announced, and fetched by the site.
public struct AnnouncedTask: Sendable {
  /// What is to be done.
  public var name: TaskName
  /// The round it belongs to, from 1.
  public var round: Int
  /// Who is asked, as the job knows it.
  public var site: Site
  /// Seeds every random draw of this site for this task.
  public var key: RandomKey
  /// What to do it with: the server's side has the tensors, the site's side has the chunks that have come.
  public var content: Content
  /// How many bytes the answer may have, for the server's side; any number if `nil`.
  public var largestAnswer: Int?
  /// How many bytes the answer has as a rule, for the server's side; as ``largestAnswer`` if `nil`.
  ///
  /// When there is no room for one that has no more, that is not the site's fault.
  public var usualAnswer: Int?

  /// The first step of which the server has used no answer of the site, and none after it: ``SiteTask/unusedSince``.
  public var unusedSince: Int?

  /// What a task is to be done with.
  public enum Content: Sendable {
    /// On its way out.
    case outgoing(OutgoingParcel)
    /// On its way in.
    case incoming(IncomingParcel)
    /// It has come, and cannot be what it says, or is more than the site takes.
    case unusable(FederationError)
  }

  /// A task.
  public init(name: TaskName, round: Int, site: Site, key: RandomKey, content: Content) {
    self.name = name
    self.round = round
    self.site = site
    self.key = key
    self.content = content
  }

  /// The announcement of its content, if it can be used.
  public var parcel: Parcel? {
    switch content {
    case .outgoing(let outgoing): outgoing.parcel
    case .incoming(let incoming): incoming.parcel
    case .unusable: nil
    }
  }
}
