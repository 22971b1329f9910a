public import SystemPackage

/// Carries tasks to sites and their answers back.
///
/// Rounds know nothing of threads, processes or wires.
public protocol Transport: Sendable {
  /// The sites that can be asked, at their indices.
  var sites: [Site] { get }

  /// Where large models lie between the sites, in temporary files, so that they need not be in memory; in memory if `nil`.
  var spool: FilePath? { get }

  /// Asks sites, and hands over each answer when it arrives.
  ///
  /// Returns when every site asked has answered, or the current task is cancelled, which aborts the work of those that have
  /// not.
  ///
  /// - Parameters:
  ///   - tasks: One for each site to ask.
  ///   - report: Is told what the sites do, from any thread, possibly several at a time.
  func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async
}

extension Transport {
  /// Models stay in memory.
  public var spool: FilePath? { nil }
}

/// What comes from a site.
public enum SiteEvent: Sendable {
  /// It has not been given its task yet, because whoever carries tasks has no room: its silence says nothing.
  case waiting(Site)
  /// It is at work.
  case progressed(Site)
  /// It has answered, or said why it cannot.
  case answered(Site, Result<Exchange, any Error>)
}
