import Foundation
import SystemPackage
import TesseraTesting
import Testing

/// A server of Chroma for tests, of the package that `./setup --tests` installs: it listens at this machine alone, and ends with the tests.
final class TestChroma: Sendable {
  /// The one that all tests share; each has a collection of its own.
  static let shared = Result { try TestChroma() }

  private let folder: TemporaryFolder
  private let port: Int
  // What keeps the server alive: it ends when nobody has the pipe any more, however that comes.
  private let life: FileHandle

  /// The address of a collection that is not there yet.
  func collection() -> String { "\(server)/c\(UUID().uuidString.lowercased())" }

  /// Where it listens.
  var server: String { "http://127.0.0.1:\(port)" }

  private init() throws {
    folder = try TemporaryFolder()
    port = try Self.freePort()
    let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    // Its own command needs packages that the server does not.
    process.arguments = [
      "sh", "-c", #""$@" & pid=$!; cat >/dev/null; kill -KILL $pid; wait $pid"#, "sh",
      "\(prefix)/python-tests/bin/python", "-c",
      "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(['chroma', *sys.argv[1:]])",
      "run", "--path", folder.path.appending("data").string, "--host", "127.0.0.1", "--port",
      "\(port)",
    ]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    life = input.fileHandleForWriting
    var log = Data()
    while !String(decoding: log, as: UTF8.self).contains("listening on address") {
      let piece = output.fileHandleForReading.availableData
      if piece.isEmpty { break }
      log += piece
    }
    try #require(
      String(decoding: log, as: UTF8.self).contains("listening on address"),
      "Chroma does not start: \(String(decoding: log, as: UTF8.self))"
    )
    // What else it logs must not fill the pipe.
    Thread { while !output.fileHandleForReading.availableData.isEmpty {} }.start()
  }

  /// A port that nobody listens at.
  static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
      }
    }
    try #require(isBound)
    return Int(UInt16(bigEndian: address.sin_port))
  }
}
