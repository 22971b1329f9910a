import Foundation
import Measuring

/// This program once more, with other arguments; it ends with the one that started it.
final class ChildProcess {
  struct Ended: Error { var arguments: [String] }

  private let process = Process()
  private let output = Pipe()
  /// The child ends when this does.
  private let input = Pipe()
  private var rest = Data()

  init(_ arguments: String...) throws {
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = arguments
    process.standardOutput = output
    process.standardInput = input
    try process.run()
  }

  /// Its next line.
  func line() throws -> String {
    while true {
      if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        defer { rest = Data(rest[(end + 1)...]) }
        return String(decoding: rest[..<end], as: UTF8.self)
      }
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw Ended(arguments: process.arguments ?? []) }
      rest.append(more)
    }
  }

  var peakMemory: Int { get throws { try Memory.peak(of: "\(process.processIdentifier)") } }
  var memory: Int { get throws { try Memory.current(of: "\(process.processIdentifier)") } }
  var processorSeconds: Double {
    get throws { try Measuring.processorSeconds(of: "\(process.processIdentifier)") }
  }

  func end() {
    process.terminate()
    process.waitUntilExit()
  }

  deinit { if process.isRunning { process.terminate() } }
}

/// Writes a line that the parent waits for.
func tell(_ line: String) {
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
