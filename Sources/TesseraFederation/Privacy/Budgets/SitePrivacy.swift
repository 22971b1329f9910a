internal import Foundation
public import TesseraCore

/// What one site has spent of its privacy budget, kept in its memory: it survives a kill, and a task that is repeated finds
/// its charges there, or not yet, and is counted once.
///
/// That is right as long as a repetition makes the same release, whose noise follows from the task's key. With
/// ``NoiseSource/secret`` noise a repetition after a kill is another release, which this ledger does not see.
public struct SitePrivacy: Sendable {
  /// Where the ledger lies in the site's memory.
  public static let memoryName = "privacy ledger"
  private static let tensorName = "json"

  private let budget: PrivacyBudget
  private let task: SiteTask
  private let memory: SiteMemory

  init(budget: PrivacyBudget, task: SiteTask, memory: SiteMemory) {
    self.budget = budget
    self.task = task
    self.memory = memory
  }

  /// The entries of one task have ids that begin so.
  private var prefix: String { "\(task.step)/" }

  /// Enters what is about to be released.
  ///
  /// - Parameters:
  ///   - events: What makes it private; nothing happens if there are none.
  ///   - purpose: What it is, unique within the task.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/budgetExhausted`` naming the site, the round and the amounts
  ///   if it would overspend; with code ``FederationError/Code/cannotResume`` if the ledger cannot be read.
  func charge(_ events: [PrivacyEvent], for purpose: String) throws {
    guard !events.isEmpty else { return }
    var ledger =
      try Self.ledger(in: memory.contents, of: task.site)
      ?? BudgetLedger(owner: task.site.name, budget: budget)
    guard ledger.budget == budget else {
      throw FederationError(
        code: .cannotResume,
        message: "\(task.site.name): its privacy ledger was kept for another budget"
      )
    }
    try ledger.charge(
      BudgetLedger.Entry(
        id: prefix + purpose,
        round: task.round,
        purpose: purpose,
        events: events
      )
    )
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    memory[Self.memoryName] = try ModelState([
      (name: Self.tensorName, tensor: try Tensor([UInt8](encoder.encode(ledger))))
    ])
  }

  /// Refuses an answer with tensors in it for which this task was charged nothing.
  ///
  /// A first model comes from no data, and statistics have guards of their own, which are not counted.
  func requireCharge(for answer: Exchange) throws {
    guard answer.byteCount > 0, answer.kind != .statistics, task.name != .initialize else {
      return
    }
    let ledger = try Self.ledger(in: memory.contents, of: task.site)
    guard ledger?.entries.contains(where: { $0.id.hasPrefix(prefix) }) == true else {
      throw FederationError(
        code: .invalidConfiguration,
        message: """
          \(task.site.name): round \(task.round): the site has a privacy budget, and nothing makes its \
          answer to '\(task.name)' private
          """
      )
    }
  }

  /// The ledger that a site's memory holds, or `nil` if the site has released nothing.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it cannot be read.
  public static func ledger(
    in memory: [String: ModelState],
    of site: Site
  ) throws -> BudgetLedger? {
    guard let state = memory[memoryName] else { return nil }
    guard let bytes = try? state[tensorName]?.array(of: UInt8.self),
      let ledger = try? JSONDecoder().decode(BudgetLedger.self, from: Data(bytes)),
      ledger.owner == site.name
    else {
      throw FederationError(
        code: .cannotResume,
        message: "\(site.name): its privacy ledger cannot be read"
      )
    }
    return ledger
  }

  /// The ε that sites have spent by a step, by name; those that have released nothing are left out.
  ///
  /// - Throws: ``FederationError`` if a ledger cannot be read.
  public static func epsilon(
    of sites: [Site],
    in memories: any SiteMemoryStore,
    after step: Int
  ) throws -> [String: Double] {
    var spent: [String: Double] = [:]
    for site in sites {
      let memory = try memories.contents(of: site, before: step + 1)
      spent[site.name] = try ledger(in: memory, of: site)?.spent()
    }
    return spent
  }
}
