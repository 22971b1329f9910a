import Foundation
import Testing

/// Runs a script with the Python that `./setup --tests` installs, and fails with what it prints.
func python(_ script: String, _ arguments: [String]) throws {
  let prefix = ProcessInfo.processInfo.environment["TESSERA_PREFIX"] ?? "/opt/tessera"
  let process = Process()
  process.executableURL = URL(filePath: "\(prefix)/python-tests/bin/python")
  process.arguments = ["-c", script] + arguments
  let output = Pipe()
  process.standardError = output
  try process.run()
  let message = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  process.waitUntilExit()
  #expect(process.terminationStatus == 0, "\(message)")
}
