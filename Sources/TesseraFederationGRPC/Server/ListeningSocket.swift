internal import Glibc
internal import NIOCore
internal import Synchronization
internal import SystemPackage
internal import TesseraDeployment

/// The socket that a server's connections come to.
///
/// It listens before gRPC has it: so the port can be waited for, what keeps a server from listening is said in the system's words, and
/// a server that must not answer any longer stops at once.
final class ListeningSocket: Sendable {
  private enum State {
    /// It does not listen yet; those that want to know the port.
    case closed([CheckedContinuation<Int, any Error>])
    /// It listens; the descriptor is gRPC's.
    case open(descriptor: Int32, port: Int)
    /// It does not listen any longer.
    case over(any Error)
  }

  private let host: String
  private let number: Int
  private let state = Mutex(State.closed([]))

  /// How many connections may wait until they are taken.
  private static let backlog: Int32 = 128

  /// A socket that does not listen yet.
  ///
  /// - Parameters:
  ///   - host: The numeric address to listen at.
  ///   - number: The port; any free one if 0.
  init(host: String, port number: Int) {
    self.host = host
    self.number = number
  }

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - patience: For how long a port that another has is waited for.
  ///   - isTaken: Is called once if another has the port, and it is waited for.
  /// - Returns: The descriptor, which belongs to the caller until ``end(because:)``.
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/unavailable`` if it cannot; `CancellationError` if the task is
  ///   cancelled, or the socket has been opened before.
  func open(waitingForPort patience: Duration, isTaken: (Int) -> Void) async throws -> Int {
    let end = ContinuousClock.now + patience
    var isFirst = true
    while true {
      try Task.checkCancellation()
      do {
        let (descriptor, port) = try Self.listen(host, number)
        let waiting: [CheckedContinuation<Int, any Error>]? = state.withLock { state in
          guard case .closed(let waiting) = state else { return nil }
          state = .open(descriptor: descriptor, port: port)
          return waiting
        }
        guard let waiting else {
          close(descriptor)
          throw CancellationError()
        }
        for continuation in waiting { continuation.resume(returning: port) }
        return Int(descriptor)
      } catch let error as Errno {
        guard error == .addressInUse, ContinuousClock.now < end else {
          throw DeploymentError(
            code: .unavailable,
            message: "cannot listen at \(host), port \(number): \(error)"
          )
        }
        if isFirst { isTaken(number) }
        isFirst = false
        // The system tells nobody when a port becomes free.
        try await ContinuousClock().sleep(for: .milliseconds(20))
      }
    }
  }

  /// The port, once it listens.
  var port: Int {
    get async throws {
      try await withCheckedThrowingContinuation { continuation in
        let known: Result<Int, any Error>? = state.withLock { state in
          switch state {
          case .closed(let waiting):
            state = .closed(waiting + [continuation])
            return nil
          case .open(_, let port): return .success(port)
          case .over(let error): return .failure(error)
          }
        }
        if let known { continuation.resume(with: known) }
      }
    }
  }

  /// Takes no more connections from now on, and leaves the port to others; those that there are stay.
  func stop() {
    state.withLock { state in
      if case .open(let descriptor, _) = state { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  /// Notes that the descriptor is closed, or about to be.
  func end(because error: any Error) {
    let waiting: [CheckedContinuation<Int, any Error>] = state.withLock { state in
      defer { state = .over(error) }
      if case .closed(let waiting) = state { return waiting }
      return []
    }
    for continuation in waiting { continuation.resume(throwing: error) }
  }

  private static func listen(
    _ host: String,
    _ number: Int
  ) throws -> (descriptor: Int32, port: Int) {
    let address = try SocketAddress(ipAddress: host, port: number)
    let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    let descriptor = socket(host.contains(":") ? AF_INET6 : AF_INET, Int32(kind), 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    var isReused: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    // Connections of whoever had the port before may not be gone yet.
    guard setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isReused, size) == 0,
      address.withSockAddr({ Glibc.bind(descriptor, $0, socklen_t($1)) }) == 0,
      Glibc.listen(descriptor, backlog) == 0
    else {
      let error = Errno(rawValue: errno)
      close(descriptor)
      throw error
    }
    var bound = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let port = withUnsafeMutablePointer(to: &bound) { pointer in
      _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        getsockname(descriptor, $0, &length)
      }
      // It lies at the same place in addresses of both families.
      return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_port }
    }
    return (descriptor, Int(UInt16(bigEndian: port)))
  }
}
