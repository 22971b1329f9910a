internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix

/// The way to a server.
typealias SecuredTransport = PatientTransport<HTTP2ClientTransport.Posix>

extension HTTP2ClientTransport.Posix {
  /// A connection to a federation's server.
  ///
  /// - Parameters:
  ///   - security: The TLS of it.
  ///   - host: A name or an address.
  ///   - port: The server's port.
  ///   - patience: After which time without a sign of life the server is given up.
  /// - Returns: The transport, which is not connected yet.
  /// - Throws: `RPCError` if the address cannot be one.
  static func secured(
    by security: MutualTLS,
    host: String,
    port: Int,
    patience: Duration = .seconds(60)
  ) throws -> SecuredTransport {
    let transport = try Self(
      target: ServerTarget(host: host, port: port).target,
      transportSecurity: .customSecure,
      config: .defaults {
        $0.http2.targetWindowSize = Wire.windowSize
        $0.http2.maxFrameSize = Wire.frameSize
        $0.connection.maxIdleTime = nil
        $0.connection.keepalive = .init(
          time: patience / 2,
          timeout: patience / 2,
          allowWithoutCalls: true
        )
        $0.channelDebuggingCallbacks.onCreateTCPConnection = { security.secureClient($0) }
      }
    )
    return PatientTransport(transport)
  }
}
