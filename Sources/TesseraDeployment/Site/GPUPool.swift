internal import Foundation
internal import Synchronization

/// The GPUs of a site, and which of its jobs has which.
///
/// The server counts how many are in use, and gives the site no job that needs more than are left; which they are is the site's
/// own affair. A job keeps its own as long as anything of it works: for the server it may be over by then, and the next job waits.
final class GPUPool: Sendable {
  private struct Holding: Sendable {
    var devices: [Int]
    var holders: Int
    /// Whether the job is over, and what works at it ends.
    var isEnding = false
  }
  private struct State: Sendable {
    var holdings: [String: Holding] = [:]
    /// How often GPUs were given back, and who waits for the next time.
    var returns = 0
    var waiters: [UUID: AsyncStream<Never>.Continuation] = [:]
  }
  private let devices: [Int]
  private let state = Mutex(State())

  /// There are enough GPUs for a job when those that end have given back theirs.
  struct Busy: Error, CustomStringConvertible {
    fileprivate let returns: Int

    var description: String { "the GPUs that the job needs are those of jobs that are just ending" }
  }

  /// - Parameter devices: The numbers that CUDA gives them.
  init(_ devices: [Int]) { self.devices = devices }

  /// What a job has of the GPUs, until this is gone.
  final class Share: Sendable {
    /// Their numbers.
    let devices: [Int]
    private let job: String
    private let pool: GPUPool

    fileprivate init(_ devices: [Int], of job: String, in pool: GPUPool) {
      (self.devices, self.job, self.pool) = (devices, job, pool)
    }

    deinit { pool.giveBack(job) }
  }

  /// GPUs for a job: those that it has already, or such as nobody has.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if there are not enough; ``Busy`` if there will be
  ///   when jobs that are over have ended.
  func take(_ count: Int, for job: String) throws -> Share {
    let taken = try state.withLock { state in
      if let known = state.holdings[job], known.devices.count == count {
        state.holdings[job]?.holders += 1
        state.holdings[job]?.isEnding = false
        return known.devices
      }
      let used = Set(state.holdings.values.flatMap(\.devices))
      let free = devices.filter { !used.contains($0) }
      guard state.holdings[job] == nil, free.count >= count else {
        let ending = state.holdings.values.lazy.filter(\.isEnding).flatMap(\.devices)
        if state.holdings[job]?.isEnding ?? true, free.count + ending.count >= count {
          throw Busy(returns: state.returns)
        }
        throw DeploymentError(
          code: .unavailable,
          message:
            "the job needs \(count) GPUs, and of \(devices.count) here \(free.count) are free"
        )
      }
      state.holdings[job] = Holding(devices: Array(free.prefix(count)), holders: 1)
      return Array(free.prefix(count))
    }
    return Share(taken, of: job, in: self)
  }

  /// A job is over: what works at it ends, and gives back what it has.
  func ends(_ job: String) { state.withLock { $0.holdings[job]?.isEnding = true } }

  /// Waits until GPUs were given back since there were too few, or the current task is cancelled.
  func waitForReturn(since busy: Busy) async {
    let (returned, waiter) = AsyncStream<Never>.makeStream()
    let id = UUID()
    state.withLock { state in
      if state.returns == busy.returns { state.waiters[id] = waiter } else { waiter.finish() }
    }
    for await _ in returned {}
    state.withLock { state in state.waiters[id] = nil }
  }

  /// As ``waitForReturn(since:)``, and not longer than so long.
  ///
  /// - Returns: Whether GPUs were given back.
  func waitForReturn(since busy: Busy, atMost limit: Duration) async -> Bool {
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        await self.waitForReturn(since: busy)
        return !Task.isCancelled
      }
      group.addTask {
        try? await ContinuousClock().sleep(for: limit)
        return false
      }
      let isReturned = await group.next() ?? false
      group.cancelAll()
      return isReturned
    }
  }

  private func giveBack(_ job: String) {
    let waiters = state.withLock { state -> [UUID: AsyncStream<Never>.Continuation] in
      guard let holding = state.holdings[job] else { return [:] }
      state.holdings[job]?.holders -= 1
      guard holding.holders <= 1 else { return [:] }
      state.holdings[job] = nil
      state.returns += 1
      defer { state.waiters = [:] }
      return state.waiters
    }
    for waiter in waiters.values { waiter.finish() }
  }

  /// The GPUs that this machine has, by the driver's own list; of them those alone that `CUDA_VISIBLE_DEVICES` of this process
  /// names, if it is set.
  static func detected(
    in folder: String = "/proc/driver/nvidia/gpus",
    visible: String? = ProcessInfo.processInfo.environment["CUDA_VISIBLE_DEVICES"]
  ) -> [Int] {
    let count = (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
    let all = Array(0..<count)
    guard let visible else { return all }
    let named = visible.split(separator: ",").map { Int($0.trimmingCharacters(in: .whitespaces)) }
    // CUDA itself stops at the first that is none.
    return named.prefix { $0.map(all.contains) ?? false }.compactMap { $0 }
  }
}
