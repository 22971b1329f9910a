import NIOCore
import NIOPosix
import NIOSSL
import SystemPackage
import TesseraProvisioning

/// Opens connections with a participant's certificate, and sends on them whatever it is told.
struct RawClient {
  private let context: NIOSSLContext?
  let port: Int

  /// A client that is not connected yet.
  ///
  /// - Parameters:
  ///   - kit: Whose certificate is shown; without, there is no TLS.
  ///   - port: The server's.
  /// - Throws: If the kit's files cannot be used.
  init(_ kit: StartupKit?, port: Int) throws {
    self.port = port
    context = try kit.map { kit in
      var configuration = TLSConfiguration.makeClientConfiguration()
      configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(kit.certificateFile.string)
        .map { .certificate($0) }
      configuration.privateKey = .privateKey(
        try NIOSSLPrivateKey(file: kit.keyFile.string, format: .pem)
      )
      configuration.trustRoots = .certificates(
        try NIOSSLCertificate.fromPEMFile(kit.rootFile.string)
      )
      configuration.certificateVerification = .noHostnameVerification
      configuration.applicationProtocols = ["h2"]
      return try NIOSSLContext(configuration: configuration)
    }
  }

  /// Opens a connection.
  func connect() async throws -> NIOAsyncChannel<ByteBuffer, ByteBuffer> {
    try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          if let context {
            let handler = try NIOSSLClientHandler(context: context, serverHostname: nil)
            try channel.pipeline.syncOperations.addHandler(handler)
          }
          return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
        }
      }
  }

  /// Sends bytes, closes, and waits until the other side has closed, too.
  func send(_ bytes: [UInt8]) async throws {
    try await connect().executeThenClose { _, outbound in
      try await outbound.write(ByteBuffer(bytes: bytes))
    }
  }

  /// Sends bytes, and returns what comes until the other side closes.
  func answer(to bytes: [UInt8]) async throws -> [UInt8] {
    try await connect().executeThenClose { inbound, outbound in
      try await outbound.write(ByteBuffer(bytes: bytes))
      var answer: [UInt8] = []
      for try await part in inbound { answer += part.readableBytesView }
      return answer
    }
  }
}
