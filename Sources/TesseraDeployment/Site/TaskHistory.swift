internal import TesseraFederation

/// What a site has been asked for by a job: which of its memory a task may still ask for.
///
/// A server that was killed does the round again that was under way, from the memory as of before it, whether answers of it were taken or
/// not: receipts settle nothing. It has saved a round when it asks for something in the next. What it used in that round may have been
/// asked for before (FedBuff's tasks are under way from round to round), so the last task that has left something by the end of an earlier
/// round may be repeated, too, whatever was asked for after it: evaluations and phases of secure aggregation, which leave nothing, and
/// tasks of the round that is not saved.
struct TaskHistory: Sendable {
  /// The last task of each name, of this process: a workflow in a chain may count its rounds anew, and others count otherwise.
  private var last: [TaskName: (round: Int, step: Int)] = [:]
  /// The earliest step that a server may ask for again, as far as this process knows.
  private var repeated: Int?

  /// How many names there may be; nobody asks for that many in turn.
  private static let largestCount = 64

  /// Removes what no task can ask for any more of a site's memory: what was kept before the last task that may be repeated, but for the
  /// latest.
  ///
  /// - Parameters:
  ///   - task: The task that comes now.
  ///   - memories: The site's.
  mutating func settle(before task: SiteTask, in memories: FolderSiteMemories) {
    // A process that has just started does not know what was asked before.
    if let last = last[task.name], last.round != task.round,
      let step = memories.lastStep(of: task.site, before: last.step + 1)
    {
      repeated = max(repeated ?? step, step)
    }
    if last.count >= Self.largestCount { last = [:] }
    last[task.name] = (task.round, task.step)
    guard let repeated else { return }
    memories.discard(before: min(repeated, task.unusedSince ?? repeated), from: task.step)
  }
}
