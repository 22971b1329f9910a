internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The operations that a site has done of late, by the digests of what was signed: none is done twice, and none long after it was
/// signed.
///
/// A file of JSON, on the disk before anything is done; what is too old to be done anyhow is forgotten.
final class TakenOperations: Sendable {
  private struct State: Sendable, Codable {
    /// What was signed before is not done, wherever the clock is set to: operations of that time are not remembered.
    var since: Date?
    /// When each was signed.
    var operations: [String: Date] = [:]
  }

  /// How long ago, in seconds, an operation may have been signed, by the site's clock; so much may the clocks differ.
  static let validity = 300.0
  /// How many are remembered: whoever operates a site more often must wait.
  private static let limit = 1000

  private let path: FilePath
  private let state: Mutex<State>

  /// What the file says; nothing if it is not there.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if it says something else.
  init(at path: FilePath) throws {
    self.path = path
    state = Mutex(try JSONFile.read(State.self, from: path) ?? State())
  }

  /// Refuses an operation that was signed too long ago.
  ///
  /// - Parameters:
  ///   - operation: Which.
  ///   - now: The time.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed``.
  static func requireRecent(_ operation: SignedOperation, at now: Date = Date()) throws {
    guard abs(now.timeIntervalSince(operation.signed)) <= validity else {
      throw late(operation, now)
    }
  }

  private static func late(_ operation: SignedOperation, _ now: Date) -> DeploymentError {
    DeploymentError(
      code: .notAllowed,
      message: """
        the operation '\(operation.operation.name)' of \(operation.person) was signed at \
        \(operation.signed.ISO8601Format()), and it is \(now.ISO8601Format()) here: it is asked for anew, or the clocks are set
        """
    )
  }

  /// Notes that an operation is about to be done.
  ///
  /// - Parameters:
  ///   - operation: Which.
  ///   - now: The time.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed`` if it was done before or was signed too long ago, with
  ///   code ``DeploymentError/Code/cannotWrite`` if it cannot be noted.
  func take(_ operation: SignedOperation, at now: Date = Date()) throws {
    try state.withLock { state in
      var next = state
      for (digest, signed) in state.operations
      where now.timeIntervalSince(signed) > Self.validity {
        next.operations[digest] = nil
        next.since = max(next.since ?? signed, signed)
      }
      func refuse(_ why: String) -> DeploymentError {
        DeploymentError(
          code: .notAllowed,
          message: "the operation '\(operation.operation.name)' of \(operation.person) \(why)"
        )
      }
      try Self.requireRecent(operation, at: now)
      guard next.since.map({ operation.signed > $0 }) ?? true else {
        throw Self.late(operation, now)
      }
      guard next.operations[operation.digest] == nil else { throw refuse("was done before") }
      guard next.operations.count < Self.limit else {
        throw refuse("has to wait: \(Self.limit) were asked for in so short a time")
      }
      next.operations[operation.digest] = operation.signed
      try JSONFile.write(next, to: path)
      state = next
    }
  }
}
