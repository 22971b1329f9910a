internal import Synchronization
internal import TesseraCore

/// Several compute lanes of one thread each, for work that falls into independent parts.
///
/// The results do not depend on the number of lanes: each part runs on one thread, alone, from start to end.
public struct LanePool: Sendable {
  private let lanes: [ComputeLane]
  /// The lane that the next work starts with: many works of one part each use all lanes.
  private let first = Shared(Atomic(0))

  /// Lanes of one thread each, at least one.
  public init(lanes: Int) {
    self.lanes = (0..<max(1, lanes)).map { ComputeLane(name: "tessera.lane.\($0)", threads: 1) }
  }

  /// The number of lanes.
  public var count: Int { lanes.count }

  /// Runs `body` for each part on some lane, each lane taking the next part that is left.
  ///
  /// Stops taking parts once the current task is cancelled; parts under way end as they see fit.
  public func forEach<Part: Sendable>(
    _ parts: [Part],
    _ body: @escaping @Sendable (Part) async -> Void
  ) async {
    let next = Shared(Atomic(0))
    await withTaskGroup(of: Void.self) { group in
      let workers = min(lanes.count, parts.count)
      let start = first.value.wrappingAdd(workers, ordering: .relaxed).oldValue
      for worker in 0..<workers {
        // The counter may wrap around; a lane's number may not be negative.
        let lane = lanes[Int(bitPattern: UInt(bitPattern: start &+ worker) % UInt(lanes.count))]
        // A preference, not an actor: functions compiled to leave the caller's actor stay on the lane, too.
        group.addTask(executorPreference: lane) {
          while !Task.isCancelled {
            let index = next.value.wrappingAdd(1, ordering: .relaxed).oldValue
            guard index < parts.count else { return }
            await body(parts[index])
          }
        }
      }
    }
  }

  /// The results of `body` for each part, in the order of the parts.
  ///
  /// - Throws: The error of the first part, in order, that failed; `CancellationError` if parts were left out.
  public func map<Part: Sendable, Output: Sendable>(
    _ parts: [Part],
    _ body: @escaping @Sendable (Part) async throws -> Output
  ) async throws -> [Output] {
    let results = Shared(Mutex([Result<Output, any Error>?](repeating: nil, count: parts.count)))
    await forEach(Array(parts.enumerated())) { index, part in
      let result: Result<Output, any Error>
      do { result = .success(try await body(part)) } catch { result = .failure(error) }
      results.value.withLock { $0[index] = result }
    }
    return try results.value.withLock {
      try $0.map { try ($0 ?? .failure(CancellationError())).get() }
    }
  }
}

/// A non-copyable value with several owners.
private final class Shared<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming Value) { self.value = value }
}
