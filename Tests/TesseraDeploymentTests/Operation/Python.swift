import Foundation
import SystemPackage
import TesseraTesting
import Testing

/// Runs a script with the Python that `./setup --tests` installs, and fails with what it prints.
///
/// No thread of tasks waits for it: what it talks to needs them.
func python(_ script: String, _ arguments: [String]) async throws {
  let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
  let folder = try TemporaryFolder()
  let output = try folder.file("output", [])
  let process = Process()
  process.executableURL = URL(filePath: "\(prefix)/python-tests/bin/python")
  process.arguments = ["-c", script] + arguments
  process.standardError = try FileHandle(forWritingTo: URL(filePath: output.string))
  let status = try await withCheckedThrowingContinuation { continuation in
    process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
    do { try process.run() } catch { continuation.resume(throwing: error) }
  }
  let message = String(decoding: try folder.bytes(of: output), as: UTF8.self)
  #expect(status == 0, "\(message)")
}
