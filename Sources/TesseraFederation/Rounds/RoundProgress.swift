public import Foundation
internal import Synchronization

/// Where a round under way is kept, so that a process that goes on need not begin it anew.
public struct RoundProgressStore: Sendable {
  /// What was kept last, or `nil` if nothing was.
  public var load: @Sendable () throws -> Data?
  /// Keeps it in place of what was kept before; it is on the disk when this returns.
  public var save: @Sendable (Data) throws -> Void

  /// A store.
  public init(
    load: @escaping @Sendable () throws -> Data?,
    save: @escaping @Sendable (Data) throws -> Void
  ) {
    self.load = load
    self.save = save
  }
}

/// A round under way, after some of its tasks: what its record and its random draws go on from, and what its workflow has
/// come to.
struct RoundProgress: Codable {
  var round: Int
  /// The number of the last task before the round: progress of another run does not fit.
  var firstStep: Int
  var step: Int
  var repetitions: [String: Int]
  var contributions: [Contribution]
  var refusals: [Refusal]
  /// What came of tasks that were dispatched by themselves.
  var dispatched: [Controller.Record.Dispatched]
  var traffic: Traffic
  /// What the job had released by then, if that is counted.
  var ledger: BudgetLedger?
  /// The first steps of which no answers were used, by the indices of sites.
  var unused: [Int: Int]?
  /// What the workflow keeps, as JSON.
  var work: String
}

extension Controller {
  /// What ``keep(_:)`` has kept of this round before its process ended, or `nil` if that is nothing.
  ///
  /// To be asked for before the round's first task.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it is something else, or does not go on
  ///   from the job's privacy ledger.
  public func kept<Work: Decodable>(_ type: Work.Type = Work.self) throws -> Work? {
    guard let data = try federation.progress?.load(),
      let progress = try? JSONDecoder().decode(RoundProgress.self, from: data),
      progress.round == round
    else { return nil }
    guard let work = try? JSONDecoder().decode(type, from: Data(progress.work.utf8)) else {
      throw FederationError(
        code: .cannotResume,
        message: "round \(round): what was kept of it is no \(type)"
      )
    }
    let isFitting = try record.withLock { record in
      guard record.step == progress.firstStep, progress.step >= progress.firstStep else {
        return false
      }
      // What was released in the part of the round that is not repeated stays charged.
      guard progress.ledger.goesOn(from: record.ledger) else {
        throw FederationError(
          code: .cannotResume,
          message:
            "round \(round): what was kept of it does not go on from the job's privacy ledger"
        )
      }
      record.step = progress.step
      record.repetitions = Dictionary(
        progress.repetitions.map { (TaskName($0.key), $0.value) }
      ) { first, _ in first }
      record.contributions = progress.contributions
      record.refusals = progress.refusals
      record.dispatched = progress.dispatched
      record.traffic = progress.traffic
      record.ledger = progress.ledger
      record.unused = progress.unused ?? [:]
      return true
    }
    return isFitting ? work : nil
  }

  /// Keeps what the workflow has come to within the round: if the process ends, the next one has it by ``kept(_:)``, with all
  /// that the record says of the tasks so far, and goes on to the same end.
  ///
  /// For rounds of many tasks, between two of them, when none is under way. Where nothing is recorded, nothing is kept.
  ///
  /// - Throws: What the store throws.
  public func keep(_ work: some Encodable) throws {
    guard let store = federation.progress else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(work), as: UTF8.self)
    let progress = record.withLock { record in
      RoundProgress(
        round: round,
        firstStep: firstStep,
        step: record.step,
        repetitions: Dictionary(
          record.repetitions.map { ($0.key.description, $0.value) }
        ) { first, _ in first },
        contributions: record.contributions,
        refusals: record.refusals,
        dispatched: record.dispatched,
        traffic: record.traffic,
        ledger: record.ledger,
        unused: record.unused.isEmpty ? nil : record.unused,
        work: text
      )
    }
    try store.save(encoder.encode(progress))
  }
}

extension BudgetLedger? {
  /// Whether it is the other one, or that with more entries; none goes on from none alone.
  fileprivate func goesOn(from earlier: BudgetLedger?) -> Bool {
    guard let earlier else { return self == nil }
    guard let self else { return false }
    return self.owner == earlier.owner && self.budget == earlier.budget
      && self.entries.starts(with: earlier.entries)
  }
}
