internal import Dispatch
internal import Foundation
internal import Synchronization
internal import SystemPackage

/// What a server does so that another one can take over from it.
///
/// Copy and store are brought up to date in such an order that a kill between any two steps leaves what can be gone on from:
///
/// | killed | then there is | and the next server |
/// |---|---|---|
/// | after a job was copied, before the store knows of it | a copy without a job | removes it; who handed the job in was told nothing |
/// | after the roster and the run's folder were copied, before the store says `running` | a job that is dispatched | asks the sites again, and begins a new run |
/// | within a round, or after it was saved here and before it was copied | the round before | does the round again, from the same draws, to the same bits |
/// | after a round was copied, before anybody was told | the round | goes on after it |
/// | after the end was copied, before the store says so | a run that is finished in a job that runs | notes that it is finished |
/// | after the store has forgotten a job, before its copy is gone | a copy without a job | removes it |
///
/// The copy rules: what a folder on the disk has beyond it was done by a server that was not the active one any longer, or that
/// was killed, and goes. Logs of jobs are not copied; each server has its own, as it has its own audit log.
extension JobService {
  /// The list of a job's sites, in its folder.
  static let rosterName = "roster.json"
  /// What of a job's folder is copied.
  private static let copied = ["bundle", rosterName, "run"]

  /// Brings this server to where the one before it was: what is left of jobs that were removed is removed here, too.
  ///
  /// To be called once, before ``run()`` and before anybody is answered. The folder of a job is fetched when it goes on, or, if it
  /// is over, when somebody asks for it first: sites and people do not wait for the folders of all. A job whose copy is damaged is
  /// over.
  ///
  /// - Returns: How many jobs go on.
  /// - Throws: ``DeploymentError`` if the store or the copies cannot be reached.
  @discardableResult
  public func takeOver() throws -> Int {
    guard let replica else { return 0 }
    let jobs = try store.jobs()
    let known = Set(jobs.map(\.id))
    for id in try replica.jobs().subtracting(known) { try replica.remove(id) }
    // Of those alone that somebody has removed: a database that is new, or was put back, knows less than the folders do.
    for id in try replica.removedJobs().subtracting(known)
    where FilePath.Component(id) != nil && FilePath(id).components.count == 1 {
      try? FileManager.default.removeItem(atPath: folder.appending(id).string)
    }
    return jobs.count { !$0.state.isOver }
  }

  /// Has the folder of a job that goes on here; if the copies cannot be reached, the server ends.
  ///
  /// - Throws: ``DeploymentError``; ``DeploymentError/Code/notFound`` or ``DeploymentError/Code/altered`` if the copy is no good.
  nonisolated func bring(_ id: String) async throws {
    do { try await fetch(id, on: restores.running) } catch { try noting { throw error } }
  }

  /// Whether the folder of a job is as new as its copy, if there are copies.
  nonisolated func isHere(_ id: String) -> Bool {
    replica == nil || current.withLock { $0.contains(id) }
  }

  /// Has a job's folder as it is in the copy, if there are copies and it was not fetched or made by this process before.
  ///
  /// - Throws: ``DeploymentError``.
  nonisolated func fetch(_ id: String) async throws { try await fetch(id, on: restores.seen) }

  private nonisolated func fetch(_ id: String, on queue: DispatchQueue) async throws {
    guard let replica, !isHere(id) else { return }
    let folder = restoring.withLock { restoring in
      let folder = restoring[id] ?? RestoredFolder()
      restoring[id] = folder
      return folder
    }
    try await withCheckedThrowingContinuation { continuation in
      queue.async { [self] in
        continuation.resume(
          with: Result {
            try folder.alone {
              // Somebody else may have asked for it meanwhile.
              guard !isHere(id) else { return }
              try restore(id, from: replica)
              _ = current.withLock { $0.insert(id) }
            }
          }
        )
      }
    }
    restoring.withLock { $0[id] = nil }
  }

  private nonisolated func restore(_ id: String, from replica: any JobReplica) throws {
    let manager = FileManager.default
    let (place, staged) = (folder(of: id), folder.appending(".\(id).fetched"))
    defer { try? manager.removeItem(atPath: staged.string) }
    try? manager.removeItem(atPath: staged.string)
    try replica.restore(id, into: staged)
    do {
      try manager.createDirectory(atPath: place.string, withIntermediateDirectories: true)
      for name in Self.copied {
        let (old, new) = (place.appending(name).string, staged.appending(name).string)
        if manager.fileExists(atPath: old) { try manager.removeItem(atPath: old) }
        if manager.fileExists(atPath: new) { try manager.moveItem(atPath: new, toPath: old) }
      }
    } catch {
      throw DeploymentError(
        code: .cannotWrite,
        message: "the folder \(place) cannot be written: \(error)"
      )
    }
  }

  /// Brings the copy of a job's folder up to date, if there are copies.
  ///
  /// - Throws: ``DeploymentError``; the server then ends.
  nonisolated func replicate(_ id: String) throws {
    guard let replica else { return }
    do {
      try replica.store(folder(of: id), of: id, only: Self.copied)
    } catch {
      give(up: error)
      throw error
    }
  }

  /// Writes what another server would need to take over; if that cannot be, this one ends, and leaves its jobs to the next.
  nonisolated func noting<Value>(_ body: () throws -> Value) throws -> Value {
    do { return try body() } catch let error as DeploymentError
      where replica != nil && [.unavailable, .cannotWrite, .notActive].contains(error.code)
    {
      give(up: error)
      throw error
    }
  }

  private nonisolated func give(up error: any Error) {
    fault.withLock { $0 = $0 ?? error }
    stop(because: error)
  }
}

/// A job's folder that is restored: by one at a time, whoever wants to have it.
final class RestoredFolder: Sendable {
  private let turn = Mutex(())

  func alone(_ body: () throws -> Void) throws { try turn.withLock { _ in try body() } }
}
