public import TesseraFederation

/// The way of a server to its sites, whatever it is made of.
public protocol SiteNetwork: Sendable {
  /// The names of the sites that are there.
  var connectedSites: Set<String> { get }

  /// The way of a job to its sites.
  ///
  /// - Parameters:
  ///   - job: The job's id: a job that goes on after the server was killed has the same.
  ///   - sites: The sites, named as in their certificates.
  ///   - observer: Is told what travels.
  ///   - answers: How large answers may be.
  /// - Returns: The transport.
  func transport(
    of job: String,
    to sites: [Site],
    observer: (any TransferObserver)?,
    answers: AnswerLimit?
  ) -> any Transport

  /// Tells sites that a job is over: those that are there, and the others when they come.
  ///
  /// - Parameters:
  ///   - job: The job's id.
  ///   - sites: Who is told.
  ///   - isAborted: Whether somebody has ended it before its time.
  func end(_ job: String, at sites: [String], isAborted: Bool)

  /// Calls somebody when a site that comes tells which jobs it keeps something of, from any thread; only the last one that asked.
  func whenSitesHold(_ observer: @escaping @Sendable (_ site: String, _ jobs: [String]) -> Void)

  /// Ends a site's connection; the tasks that it has have failed.
  func remove(_ site: String, because reason: String)

  /// Calls somebody whenever a site comes or goes, from any thread; only the last one that asked.
  func whenSitesChange(_ observer: @escaping @Sendable () -> Void)
}
