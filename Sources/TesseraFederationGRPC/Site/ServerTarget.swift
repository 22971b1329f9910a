internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import TesseraProvisioning

/// An address of a server.
struct ServerTarget: Sendable, Hashable {
  var host: String
  var port: Int

  /// All addresses of a federation's servers, those of the first server first.
  ///
  /// - Parameters:
  ///   - kit: Whose servers.
  ///   - host: In place of the kit's addresses.
  ///   - port: In place of the kit's ports.
  /// - Returns: The addresses, in the order in which they are tried.
  static func all(of kit: StartupKit, host: String?, port: Int?) -> [ServerTarget] {
    let servers = kit.participants.servers
    if let host, let server = servers.first {
      return [ServerTarget(host: host, port: port ?? server.port ?? Project.usualPort)]
    }
    return servers.flatMap { server in
      server.addresses.map {
        ServerTarget(host: $0, port: port ?? server.port ?? Project.usualPort)
      }
    }
  }

  /// As gRPC has it: host names are looked up, addresses are not.
  var target: any ResolvableTarget {
    if Self.isIPv4(host) { return .ipv4(address: host, port: port) }
    if host.contains(":") { return .ipv6(address: host, port: port) }
    return .dns(host: host, port: port)
  }

  /// Whether a text is an IPv4 address, and no host name.
  private static func isIPv4(_ text: String) -> Bool {
    var address = in_addr()
    return inet_pton(AF_INET, text, &address) == 1
  }
}
