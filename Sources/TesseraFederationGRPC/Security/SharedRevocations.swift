internal import Synchronization
internal import TesseraProvisioning

/// The list of revoked certificates that is in force.
final class SharedRevocations: Sendable {
  private let state: Mutex<RevocationList>
  init(_ list: RevocationList) { state = Mutex(list) }
  var list: RevocationList { state.withLock { $0 } }
}
