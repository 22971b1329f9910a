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
/// Beside what a site keeps lies what it kept before its last task, until it has the next one.
public final class VolatileSiteMemories: SiteMemoryStore {
  private struct Kept {
    var contents: [String: ModelState] = [:]
    /// What was kept before the steps that may still come to nothing, ascending.
    var earlier: [(step: Int, contents: [String: ModelState])] = []
  }
  private let kept = Mutex<[Int: Kept]>([:])

  /// Nothing kept yet.
  public init() {}

  /// What a site keeps.
  public func contents(of site: Site, before step: Int) -> [String: ModelState] {
    kept.withLock {
      $0[site.index]?.earlier = []
      return $0[site.index]?.contents ?? [:]
    }
  }

  /// What a site kept before a step that nothing came of.
  public func contents(of site: Site, forgettingFrom step: Int) -> [String: ModelState] {
    kept.withLock { all in
      guard var own = all[site.index] else { return [:] }
      if let before = own.earlier.first(where: { $0.step >= step }) {
        own.contents = before.contents
        own.earlier = []
        all[site.index] = own
      }
      return own.contents
    }
  }

  /// Keeps what a site's memory holds.
  public func keep(_ contents: [String: ModelState], of site: Site, after step: Int) {
    kept.withLock { all in
      var own = all[site.index] ?? Kept()
      own.earlier.append((step, own.contents))
      own.contents = contents
      all[site.index] = own
    }
  }
}
