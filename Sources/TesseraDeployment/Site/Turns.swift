internal import Synchronization

/// Lets one at a time work at something that has a name; others wait without a thread.
final class Turns: Sendable {
  /// Who waits for each name that somebody works at.
  private let waiting = Mutex<[String: [CheckedContinuation<Void, Never>]]>([:])

  /// Does something when nobody else does anything by that name.
  func take<Value>(_ name: String, _ body: () async throws -> Value) async rethrows -> Value {
    await begin(name)
    defer { end(name) }
    return try await body()
  }

  private func begin(_ name: String) async {
    await withCheckedContinuation { continuation in
      let isFirst = waiting.withLock { waiting in
        guard waiting[name] == nil else {
          waiting[name]?.append(continuation)
          return false
        }
        waiting[name] = []
        return true
      }
      if isFirst { continuation.resume() }
    }
  }

  private func end(_ name: String) {
    let next = waiting.withLock { waiting -> CheckedContinuation<Void, Never>? in
      guard waiting[name]?.isEmpty == false else {
        waiting[name] = nil
        return nil
      }
      return waiting[name]?.removeFirst()
    }
    next?.resume()
  }
}
