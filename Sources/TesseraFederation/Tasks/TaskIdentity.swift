internal import Synchronization
internal import TesseraCore

/// What makes a task of a site the very same as another: all that it came with, and all that the site remembered.
///
/// Two tasks of one step that differ in anything have different digests.
final class TaskIdentity: Sendable {
  private let task: SiteTask
  private let memory: [String: ModelState]
  private let known = Mutex<String?>(nil)

  init(_ task: SiteTask, memory: [String: ModelState]) {
    self.task = task
    self.memory = memory
  }

  /// Computed when it is first asked for: it reads the whole model.
  func digest() throws -> String {
    if let digest = known.withLock({ $0 }) { return digest }
    let remembered = memory.mapValues { Exchange(.custom("memory"), tensors: $0) }
    let digest = try Exchange(
      .custom("task"),
      parts: ["data": task.data, "memory": Exchange(.custom("memory"), parts: remembered)],
      headers: [
        "step": "\(task.step)", "name": task.name.description, "round": "\(task.round)",
        "site": "\(task.site.index) \(task.site.name)", "key": "\(task.key.value)",
      ]
    ).digest()
    known.withLock { $0 = digest }
    return digest
  }
}
