internal import Foundation

/// Does what blocks on a thread of its own, and waits for it without one: Swift's threads are as few as the machine's processors, and
/// all other tests stand still while one waits for a process or a file.
///
/// - Parameter body: Is called once; expectations belong after it.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
public func onOwnThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { (done: CheckedContinuation<Value, any Error>) in
    Thread { done.resume(with: Result { try body() }) }.start()
  }
}
