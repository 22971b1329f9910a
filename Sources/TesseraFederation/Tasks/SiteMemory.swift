internal import Synchronization
public import TesseraCore

/// What one site keeps from task to task, as tensors under names: control variates, a personal model, what a filter held back.
///
///     let variate = site.memory["scaffold"] ?? zeros
///     site.memory["scaffold"] = try updated(variate)
public final class SiteMemory: Sendable {
  private struct State {
    var contents: [String: ModelState]
    var isChanged = false
  }
  private let state: Mutex<State>

  /// A memory with some contents.
  public init(_ contents: [String: ModelState] = [:]) {
    state = Mutex(State(contents: contents))
  }

  /// What is kept under a name.
  public subscript(name: String) -> ModelState? {
    get { state.withLock { $0.contents[name] } }
    set {
      state.withLock {
        $0.contents[name] = newValue
        $0.isChanged = true
      }
    }
  }

  /// All that is kept.
  public var contents: [String: ModelState] { state.withLock { $0.contents } }

  /// Whether anything was set.
  var isChanged: Bool { state.withLock { $0.isChanged } }
}

/// Where the memories of all sites of a process lie between tasks.
///
/// A task that is repeated, because a process was killed before its round was done, finds the memory as it was before the
/// task first ran. So the store keeps, for each site, the contents by the step that left them.
public protocol SiteMemoryStore: Sendable {
  /// What a site keeps, as of before a step.
  func contents(of site: Site, before step: Int) throws -> [String: ModelState]
  /// What a site keeps, as of before a step that nothing came of; what was kept from that step on is forgotten.
  func contents(of site: Site, forgettingFrom step: Int) throws -> [String: ModelState]
  /// Keeps what a site's memory holds after a step.
  func keep(_ contents: [String: ModelState], of site: Site, after step: Int) throws
}

/// Memories that live as long as the process.
///
/// Of each site lie here what it kept last and what it kept before that, to which a task goes back if nothing came of the last, and
/// what was kept since a task began that is under way.
public final class VolatileSiteMemories: SiteMemoryStore {
  private typealias Kept = (step: Int, contents: [String: ModelState])
  /// What each site has kept, by the steps after which it did, ascending.
  private let kept = Mutex<[Int: [Kept]]>([:])

  /// Nothing kept yet.
  public init() {}

  /// What a site keeps, as of before a step.
  public func contents(of site: Site, before step: Int) -> [String: ModelState] {
    kept.withLock { all in
      guard var own = all[site.index], let last = own.lastIndex(where: { $0.step < step }) else {
        return [:]
      }
      let contents = own[last].contents
      // This task may come beside one that is under way, so that nobody has said yet whether the last one is used.
      if last > 1 {
        own.removeFirst(last - 1)
        all[site.index] = own
      }
      return contents
    }
  }

  /// What a site keeps, as of before a step that nothing came of; what was kept from that step on is forgotten.
  public func contents(of site: Site, forgettingFrom step: Int) -> [String: ModelState] {
    kept.withLock { all in
      all[site.index]?.removeAll { $0.step >= step }
      return all[site.index]?.last?.contents ?? [:]
    }
  }

  /// Keeps what a site's memory holds after a step.
  public func keep(_ contents: [String: ModelState], of site: Site, after step: Int) {
    kept.withLock { all in
      var own = all[site.index] ?? []
      own.removeAll { $0.step == step }
      own.insert((step, contents), at: own.firstIndex { $0.step > step } ?? own.endIndex)
      all[site.index] = own
    }
  }
}
