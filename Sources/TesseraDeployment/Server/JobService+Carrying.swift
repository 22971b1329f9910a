internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraFederation
internal import TesseraRun

/// How a job is carried out: to its end, with pauses while the server cannot write, until somebody ends it.
extension JobService {
  /// Carries a job out to its end, or until somebody ends it.
  func carryOut(_ id: String) async {
    // How many rounds were saved when there was no room for an answer.
    var withoutRoom: Int?
    while !Task.isCancelled {
      var result: Result<Void, any Error>?
      // Once it is aborted, all that is left to do is to note that.
      if aborted[id] == nil {
        result = await untilStopped(id) { () async -> Result<Void, any Error> in
          do { return .success(try await ServedJob(id, of: self).run()) } catch {
            return .failure(error)
          }
        }
      }
      guard let reason = await end(id, result) else { break }
      pause(id, because: reason)
      var missing: MissingRoom? =
        if case .failure(let error)? = result { error as? MissingRoom } else { nil }
      if let count = missing?.count {
        let rounds = savedRounds(of: id)
        // Answers that are whole are kept, too, where an aggregate needs all of them: what did not do is not waited for again.
        if withoutRoom == rounds, let sites = try? store.job(id)?.sites.count {
          missing?.count = max(count, sites)
        }
        withoutRoom = rounds
      }
      // Nobody says when there is room on a disk.
      let (interval, room) = (retryInterval, missing)
      if aborted[id] == nil {
        _ = await untilStopped(id) {
          repeat {
            try? await ContinuousClock().sleep(for: interval)
          } while !Task.isCancelled && !self.hasRoom(for: id, room)
        }
      } else {
        try? await ContinuousClock().sleep(for: interval)
      }
    }
    lookAgain()
  }

  /// How many rounds of a job are saved; 0 if its record cannot be read.
  private func savedRounds(of id: String) -> Int {
    let manifest = try? RunRecord.open(at: runFolder(of: id)).manifest()
    return manifest?.trainings.reduce(0) { $0 + $1.rounds.count } ?? 0
  }

  /// Whether there is room for what a round of a job writes, and for as many answers as were under way, if one found none: sites do not
  /// train for what cannot be kept.
  private nonisolated func hasRoom(for id: String, _ missing: MissingRoom?) -> Bool {
    if let missing, let free = MissingRoom.free(in: missing.folder), free < missing.needed {
      return false
    }
    let place = runFolder(of: id)
    let manager = FileManager.default
    let sizes = (try? manager.contentsOfDirectory(atPath: place.string))?.map { name in
      let attributes = try? manager.attributesOfItem(atPath: place.appending(name).string)
      return (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }
    guard let largest = sizes?.max(),
      let attributes = try? manager.attributesOfFileSystem(forPath: place.string),
      let free = (attributes[.systemFreeSize] as? NSNumber)?.intValue
    else { return true }
    // A new model beside the last one, and a few lines.
    return free / 2 > largest + (64 << 10)
  }

  /// Does something for a job until it is done or somebody ends the job.
  ///
  /// - Returns: What has come of it, also when it was ended; `nil` if nothing has.
  private func untilStopped<Value: Sendable>(
    _ id: String,
    _ body: @escaping @Sendable () async -> Value
  ) async -> Value? {
    let (stop, stopping) = AsyncStream<Never>.makeStream()
    stops[id] = stopping
    defer { stops[id] = nil }
    // Aborted before it came here.
    if aborted[id] != nil { stopping.finish() }
    return await withTaskGroup(of: Value?.self) { group in
      group.addTask { await body() }
      group.addTask {
        for await _ in stop {}
        return nil
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      // The record is closed before anybody is told that the job is over.
      let second = await group.next() ?? nil
      return first ?? second
    }
  }

  /// Notes how a job has ended, if it has.
  ///
  /// - Returns: Why it pauses, if the server cannot write.
  private func end(_ id: String, _ result: Result<Void, any Error>?) async -> String? {
    // The job goes on with the next server, or with this one when it is started again.
    guard fault.withLock({ $0 == nil }) else { return nil }
    let outcome: JobState.Outcome
    switch result {
    case .success?: outcome = .completed
    case .failure(let error)?
    where !(error is CancellationError) && !Task.isCancelled && aborted[id] == nil:
      if WriteFailure.isOne(error) { return "\(error)" }
      outcome = .failed(reason: "\(error)")
    default:
      // The server itself is stopped: the job goes on with the next one.
      guard let by = aborted[id] else { return nil }
      outcome = .aborted(by: by)
    }
    do {
      let job = try await noteEnd(of: id, outcome)
      network.end(id, at: job.sites.map(\.name), isAborted: aborted[id] != nil)
    } catch {
      // Whatever the reason: that a job has ended is written down sooner or later.
      if WriteFailure.isAny(error), fault.withLock({ $0 == nil }) { return "\(error)" }
      try? observe(.trouble(job: id, "\(error)"))
    }
    aborted[id] = nil
    refusals[id] = nil
    goesOn(id)
    return nil
  }

  private nonisolated func noteEnd(
    of id: String,
    _ outcome: JobState.Outcome
  ) async throws -> JobRecord {
    // What its rounds have come to can be had; without it the job is over all the same.
    if outcome != .completed { try? RunRecord.open(at: runFolder(of: id)).writeLastModel() }
    // Before the store says that it is over: what it has made is there then, whoever is asked. A job whose copy could not be
    // fetched is left as it is there.
    if isHere(id) { try replicate(id) }
    return try change(id) {
      $0.state = .finished(outcome)
      $0.ended = Date()
    }
  }

  /// Says that a job does not go on for a while.
  private func pause(_ id: String, because reason: String) {
    let words = "pauses, and is tried again every \(retryInterval): \(reason)"
    let isNew = pauses.withLock { pauses in
      defer { pauses[id] = words }
      return pauses[id] != words
    }
    // It would be said each time.
    if isNew { try? observe(.jobPaused(job: id, reason: reason)) }
    watchers.tell(.waiting(reason: words, away: []), of: id)
  }

  /// Says that a job that has paused goes on.
  nonisolated func goesOn(_ id: String) {
    guard pauses.withLock({ $0.removeValue(forKey: id) }) != nil else { return }
    try? observe(.jobGoesOn(job: id))
  }
}
