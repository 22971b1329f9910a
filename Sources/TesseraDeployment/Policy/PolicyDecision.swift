/// What a policy says to somebody's wish.
public enum PolicyDecision: Sendable, Hashable {
  /// It may be.
  case allowed
  /// It may not be; the reason is for the person.
  case refused(reason: String)

  /// Whether it may be.
  public var isAllowed: Bool { self == .allowed }

  /// Refuses what may not be.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notAllowed`` and the reason.
  public func require() throws {
    guard case .refused(let reason) = self else { return }
    throw DeploymentError(code: .notAllowed, message: reason)
  }
}
