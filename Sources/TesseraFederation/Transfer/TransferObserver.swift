/// Is told what travels between a server and the sites of a job, from any thread.
public protocol TransferObserver: Sendable {
  /// Tasks are about to be sent.
  ///
  /// - Parameter tasks: The tasks that were asked for together; their contents are announced and digested.
  /// - Throws: What keeps them from being sent.
  func willSend(_ tasks: [(id: TaskID, task: AnnouncedTask)]) throws

  /// An answer has come whole; it is handed over when this returns.
  func didReceive(_ answer: Parcel, to id: TaskID, from site: Site)

  /// A site that is at a task has measured something.
  func measured(_ measurements: TaskMeasurements, of id: TaskID, from site: Site)

  /// Whether somebody wants to see how transfers go on: if nobody does, nothing is measured.
  var wantsProgress: Bool { get }

  /// More of a content is there than before.
  func moved(_ progress: TransferProgress, of id: TaskID)
}

extension TransferObserver {
  /// As a rule nobody looks.
  public func measured(_ measurements: TaskMeasurements, of id: TaskID, from site: Site) {}
}

/// How far a content is on its way between a server and a site.
public struct TransferProgress: Sendable, Hashable {
  /// Which way it goes.
  public enum Direction: String, Sendable, Hashable, Codable {
    /// A task, to the site. What the site has asked for again was not there; what was sent since is taken to be.
    case down
    /// An answer, to the server. What is there has the digests that were announced.
    case up
  }

  /// The site.
  public var site: String
  /// Which way.
  public var direction: Direction
  /// How many bytes are there, those that came over an earlier connection included.
  public var bytes: Int
  /// How many there are.
  public var total: Int

  /// A transfer's progress.
  public init(site: String, direction: Direction, bytes: Int, total: Int) {
    self.site = site
    self.direction = direction
    self.bytes = bytes
    self.total = total
  }
}
