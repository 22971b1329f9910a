import Foundation
import SystemPackage
import TesseraTesting
import Testing

/// A PostgreSQL server for tests, of Debian's package: it listens at a socket in a folder of its own, and ends with the tests.
final class TestPostgreSQL: Sendable {
  /// The one that all tests share; each has a database of its own.
  static let shared = Result { try TestPostgreSQL() }

  private let folder: TemporaryFolder
  private let socket: String
  // What keeps the server alive: it ends when nobody has the pipe any more, however that comes.
  private let life: FileHandle

  /// A new database, and its address.
  func database(_ name: String = "t\(UUID().uuidString.prefix(8).lowercased())") throws -> String {
    try psql("CREATE DATABASE \(name)", in: "postgres")
    return "host=\(socket) dbname=\(name) user=tester"
  }

  /// Carries out statements as another client does, and returns what is printed.
  @discardableResult
  func psql(_ statements: String, in database: String) throws -> String {
    let name = database.split(separator: "dbname=").last?.split(separator: " ").first ?? ""
    return try Self.run(
      Self.program("psql"),
      "-X",
      "-q",
      "-A",
      "-t",
      "-v",
      "ON_ERROR_STOP=1",
      "-h",
      socket,
      "-U",
      "tester",
      "-d",
      String(database.contains("dbname=") ? name : database[...]),
      "-c",
      statements
    )
  }

  /// Carries out statements that wait for what another task of the test does.
  func patientPSQL(_ statements: String, in database: String) async throws {
    // On a thread of its own: the tasks' threads are few, and the other one needs them.
    try await withCheckedThrowingContinuation { continuation in
      Thread { [self] in
        continuation.resume(with: Result { _ = try psql(statements, in: database) })
      }.start()
    }
  }

  private init() throws {
    folder = try TemporaryFolder()
    socket = folder.path.string
    // PostgreSQL does not run as root.
    let user =
      geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
    if !user.isEmpty { try Self.run("/usr/bin/env", "chown", "postgres", socket) }
    let data = folder.path.appending("data").string
    try Self.run(
      "/usr/bin/env",
      user + [
        Self.program("initdb"), "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8",
        "--locale=C", "--no-sync",
      ]
    )
    let server = Process()
    server.executableURL = URL(filePath: "/usr/bin/env")
    server.arguments =
      user + [
        "sh", "-c", #""$@" & pid=$!; cat >/dev/null; kill -QUIT $pid; wait $pid"#, "sh",
        Self.program("postgres"), "-D", data, "-k", socket, "-c", "listen_addresses=",
        "-c", "max_connections=50",
      ]
    let (input, output) = (Pipe(), Pipe())
    server.standardInput = input
    server.standardError = output
    try server.run()
    life = input.fileHandleForWriting
    var log = Data()
    while !String(decoding: log, as: UTF8.self).contains("ready to accept connections") {
      let piece = output.fileHandleForReading.availableData
      if piece.isEmpty { break }
      log += piece
    }
    try #require(
      String(decoding: log, as: UTF8.self).contains("ready to accept connections"),
      "PostgreSQL does not start: \(String(decoding: log, as: UTF8.self))"
    )
    // What else it logs must not fill the pipe.
    Thread { while !output.fileHandleForReading.availableData.isEmpty {} }.start()
  }

  private static func program(_ name: String) -> String {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    guard let version = versions.compactMap({ Int($0) }).max() else {
      return "PostgreSQL's \(name), which ./setup --tests installs, is missing"
    }
    return "\(root)/\(version)/bin/\(name)"
  }

  @discardableResult
  private static func run(_ program: String, _ arguments: String...) throws -> String {
    try run(program, arguments)
  }

  @discardableResult
  private static func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: data, as: UTF8.self)
    try #require(process.terminationStatus == 0, "\(program) \(arguments): \(text)")
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
