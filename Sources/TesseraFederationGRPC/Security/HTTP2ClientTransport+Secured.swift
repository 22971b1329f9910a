internal import GRPCNIOTransportHTTP2Posix

extension HTTP2ClientTransport.Posix {
  /// A connection to a federation's server.
  ///
  /// - Parameters:
  ///   - security: The TLS of it.
  ///   - host: A name or an address.
  ///   - port: The server's port.
  /// - Returns: The transport, which is not connected yet.
  /// - Throws: `RPCError` if the address cannot be one.
  static func secured(by security: MutualTLS, host: String, port: Int) throws -> Self {
    try Self(
      target: ServerTarget.isIPv4(host)
        ? .ipv4(address: host, port: port)
        : host.contains(":")
          ? .ipv6(address: host, port: port)
          : .dns(host: host, port: port),
      transportSecurity: .customSecure,
      config: .defaults {
        $0.http2.targetWindowSize = 8 << 20
        $0.http2.maxFrameSize = 1 << 20
        $0.connection.maxIdleTime = nil
        $0.channelDebuggingCallbacks.onCreateTCPConnection = { security.secureClient($0) }
      }
    )
  }
}
