internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix

/// An address of a server.
struct ServerTarget: Sendable {
  var host: String
  var port: Int

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
