/// Carries tasks to sites and their answers back.
///
/// Rounds know nothing of threads, processes or wires.
public protocol Transport: Sendable {
  /// The sites that can be asked, at their indices.
  var sites: [Site] { get }

  /// Asks sites, and hands over each answer when it arrives.
  ///
  /// Returns when every site asked has answered, or the current task is cancelled.
  ///
  /// - Parameters:
  ///   - tasks: One for each site to ask.
  ///   - answered: Called once for each answer, from any thread, possibly several at a time.
  func ask(
    _ tasks: [SiteTask],
    answered: @escaping @Sendable (Site, Result<Update, any Error>) -> Void
  )
    async
}
