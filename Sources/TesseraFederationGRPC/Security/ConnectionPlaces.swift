internal import Glibc
internal import NIOCore
internal import Synchronization
internal import TesseraProvisioning

/// The connections of a server, of which there are only so many: together, and with one certificate.
///
/// A site needs one; the one before may be there for a while when its network broke. People have several programs. Who has shown no
/// certificate yet may be a stranger: when half of all places are strangers', nobody has more than an eighth, by the address or, of IPv6,
/// by the network that a customer is given, in which any address can be taken.
final class ConnectionPlaces: Sendable {
  private struct State {
    var count = 0
    var named: [String: Int] = [:]
    /// Connections without a certificate yet, by where they come from.
    var strangers: [String: Int] = [:]
    var strangerCount = 0

    mutating func isKnown(from address: String) {
      strangerCount -= 1
      guard let count = strangers[address] else { return }
      strangers[address] = count > 1 ? count - 1 : nil
    }
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
    let address = Self.origin(of: channel.remoteAddress?.ipAddress ?? "")
    let isFree = state.withLock { state in
      let own = state.strangers[address, default: 0]
      let isCrowded = state.strangerCount >= limit / 2
      guard state.count < limit, !isCrowded || own < max(1, limit / 8) else { return false }
      state.count += 1
      state.strangerCount += 1
      state.strangers[address] = own + 1
      return true
    }
    guard isFree else { return nil }
    let place = Place(of: self, from: address)
    channel.closeFuture.whenComplete { _ in place.leave() }
    return place
  }

  /// By what strangers are told apart: the address; of IPv6, its first 64 bits; of IPv4 in IPv6's form, the address of IPv4.
  static func origin(of address: String) -> String {
    var bytes = in6_addr()
    // Without the zone, as of fe80::1%eth0.
    let plain = address.prefix { $0 != "%" }
    guard inet_pton(AF_INET6, String(plain), &bytes) == 1 else { return address }
    let all = withUnsafeBytes(of: &bytes) { Array($0) }
    if all.prefix(10).allSatisfy({ $0 == 0 }), all[10] == 0xFF, all[11] == 0xFF {
      return all[12...].map(String.init).joined(separator: ".")
    }
    return all.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "/64"
  }

  /// Why there is no place.
  var refusal: String {
    "there are \(limit) connections, which is the limit, or too many from this address without a certificate"
  }

  /// The place of one connection.
  final class Place: Sendable {
    private let places: ConnectionPlaces
    private let address: String
    private let holder = Mutex<String?>(nil)

    init(of places: ConnectionPlaces, from address: String) {
      self.places = places
      self.address = address
    }

    /// Says whose connection it is.
    ///
    /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/notAllowed`` if there are enough with that certificate.
    func take(for participant: CertifiedParticipant) throws {
      let (name, limit) = (participant.name, ConnectionPlaces.limit(of: participant.kind))
      let isFree = places.state.withLock { state in
        guard state.named[name, default: 0] < limit else { return false }
        state.named[name, default: 0] += 1
        state.isKnown(from: address)
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
        guard let name else {
          state.isKnown(from: address)
          return
        }
        guard let count = state.named[name] else { return }
        state.named[name] = count > 1 ? count - 1 : nil
      }
    }
  }
}
