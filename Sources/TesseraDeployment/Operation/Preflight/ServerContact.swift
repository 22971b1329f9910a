public import Foundation

/// What came of an attempt to reach a server.
public enum ServerContact: Sendable, Hashable {
  /// It is a server of the federation, and takes this participant; its name, the end of its certificate, and by how many seconds
  /// this machine's clock is ahead of its own, if it told its time.
  case welcomed(name: String, expires: Date, clockDifference: Double?)
  /// It is a server of the federation, and does not take this participant.
  case refused(name: String, reason: String)
  /// What answered is no server of the federation.
  case untrusted(reason: String)
  /// What answered does not speak TLS 1.3.
  case withoutTLS(reason: String)
  /// Nothing listens there.
  case notListening
  /// There is no way there, or nobody answers.
  case unreachable(reason: String)
}
