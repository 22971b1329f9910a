internal import Foundation
internal import SystemPackage

extension JobService {
  /// The lines of a job's log.
  ///
  /// - Parameters:
  ///   - id: The job's.
  ///   - follows: Whether to go on with what is written later, to the end of the job.
  ///   - person: Who wants to see it.
  /// - Returns: Lines of JSON, some at a time.
  /// - Throws: ``DeploymentError`` if there is no such job, or the person may not see it.
  public func log(
    of id: String,
    following follows: Bool,
    for person: Submitter
  ) throws -> AsyncThrowingStream<[String], any Error> {
    let path = try logFile(of: id, for: person)
    let events = follows ? try watch(id, for: person) : nil
    return AsyncThrowingStream { continuation in
      let reading = Task {
        var reader = LineReader(path)
        do {
          continuation.yield(try LogFile.earlierLines(of: path))
          continuation.yield(try reader.lines())
          // Whatever happens to a job is logged before it is told.
          if let events { for await _ in events { continuation.yield(try reader.lines()) } }
          continuation.finish()
        } catch {
          continuation.finish(throwing: error)
        }
      }
      continuation.onTermination = { _ in reading.cancel() }
    }
  }
}

/// The lines of a file that grows.
private struct LineReader {
  private let path: FilePath
  private var offset: Int64 = 0
  private var rest: [UInt8] = []

  init(_ path: FilePath) { self.path = path }

  /// The lines that are whole and were not read before.
  mutating func lines() throws -> [String] {
    // A job that has logged nothing has no file.
    guard let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec]) else {
      return []
    }
    defer { try? file.close() }
    var found: [String] = []
    // A file that was full, and has begun anew.
    if try file.seek(offset: 0, from: .end) < offset { (offset, rest) = (0, []) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = try buffer.withUnsafeMutableBytes {
        try file.read(fromAbsoluteOffset: offset, into: $0)
      }
      guard count > 0 else { return found }
      offset += Int64(count)
      for byte in buffer[..<count] {
        if byte == UInt8(ascii: "\n") {
          found.append(String(decoding: rest, as: UTF8.self))
          rest = []
        } else if rest.count < 1 << 20 {
          rest.append(byte)
        }
      }
    }
  }
}
