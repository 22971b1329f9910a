internal import NIOCore
internal import Synchronization
internal import TesseraProvisioning

/// The connections of a server, of which there are only so many: together, and with one certificate.
///
/// A site needs one; the one before may be there for a while when its network broke. People have several programs.
final class ConnectionPlaces: Sendable {
  private struct State {
    var count = 0
    var named: [String: Int] = [:]
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = limit }

  /// How many connections a participant may have.
  private static func limit(of kind: Participant.Kind) -> Int { kind == .user ? 32 : 8 }

  /// Gives a connection a place, until it is closed.
  ///
  /// - Returns: `nil` if there is none.
  func enter(_ channel: any Channel) -> Place? {
    let isFree = state.withLock { state in
      guard state.count < limit else { return false }
      state.count += 1
      return true
    }
    guard isFree else { return nil }
    let place = Place(of: self)
    channel.closeFuture.whenComplete { _ in place.leave() }
    return place
  }

  /// Why there is no place.
  var refusal: String { "there are \(limit) connections, which is the limit" }

  /// The place of one connection.
  final class Place: Sendable {
    private let places: ConnectionPlaces
    private let holder = Mutex<String?>(nil)

    init(of places: ConnectionPlaces) { self.places = places }

    /// Says whose connection it is.
    ///
    /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/notAllowed`` if there are enough with that certificate.
    func take(for participant: CertifiedParticipant) throws {
      let (name, limit) = (participant.name, ConnectionPlaces.limit(of: participant.kind))
      let isFree = places.state.withLock { state in
        guard state.named[name, default: 0] < limit else { return false }
        state.named[name, default: 0] += 1
        return true
      }
      guard isFree else {
        throw ProvisioningError(
          code: .notAllowed,
          message: "\(name) has \(limit) connections, which is the limit for one certificate"
        )
      }
      holder.withLock { $0 = name }
    }

    fileprivate func leave() {
      let name = holder.withLock { $0 }
      places.state.withLock { state in
        state.count -= 1
        guard let name, let count = state.named[name] else { return }
        state.named[name] = count > 1 ? count - 1 : nil
      }
    }
  }
}
