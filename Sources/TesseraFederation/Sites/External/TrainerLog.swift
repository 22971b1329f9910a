internal import CProcess
internal import Foundation
internal import Glibc
internal import SystemPackage

/// What a site keeps of what its trainer says: for its own people, since it may hold data.
///
/// `SITE.log` has what the program writes to standard output and standard error, with a line of the site's for each start and
/// end. `SITE.jsonl` has a line for each measurement that it logs. Both begin anew when they are large, and the one before is
/// kept, as `SITE.log.1` and `SITE.jsonl.1`: a program that says much does not fill the disk.
final class TrainerLog {
  private let folder: FilePath
  private let name: String
  /// Where the program's own output begins: what was there before is another's.
  private var start = 0
  private var said: RotatedFile
  private var measurements: RotatedFile?
  /// The pipe that the program writes to: its end to read from, or -1.
  private(set) var source: Int32 = -1

  /// Opens the files, which need not be there.
  ///
  /// - Throws: `Errno` if the system refuses.
  init(in folder: FilePath, name: String) throws {
    self.folder = folder
    self.name = name
    try FileManager.default.createDirectory(
      atPath: folder.string,
      withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700]
    )
    said = try RotatedFile(folder.appending("\(name).log"))
  }

  deinit { if source >= 0 { close(source) } }

  /// Notes what the site has to say.
  func note(_ text: String) {
    write(Array("[tessera] \(Date().ISO8601Format()) \(text)\n".utf8)[...])
  }

  /// From here on it is another process that writes.
  ///
  /// - Parameter body: Starts it, with what it writes to.
  /// - Returns: What `body` returns.
  /// - Throws: `Errno` if there is no pipe; what `body` throws.
  func begin<Process>(_ body: (_ output: Int32) throws -> Process) throws -> Process {
    start = said.size
    if source >= 0 { close(source) }
    source = -1
    var ends: [Int32] = [-1, -1]
    guard tessera_output_pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    source = ends[0]
    // The program has its own.
    defer { close(ends[1]) }
    return try body(ends[1])
  }

  /// Takes what the program has said.
  ///
  /// - Parameter most: How many pieces of 64 KiB at most: who says something without end must not be listened to alone.
  func listen(atMost most: Int = 16) {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    for _ in 0..<most where source >= 0 {
      let count = read(source, &buffer, buffer.count)
      if count > 0 {
        write(buffer[..<count])
      } else if count < 0, errno == EINTR {
        continue
      } else {
        if count == 0 || errno != EAGAIN {
          close(source)
          source = -1
        }
        return
      }
    }
  }

  private func write(_ bytes: ArraySlice<UInt8>) {
    if said.write(bytes) { start = 0 }
  }

  /// The last lines of the process that has written last.
  func lastLines(_ count: Int = 10) -> [String] {
    let bytes = said.bytes(from: max(start, said.size - 4096))
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    return lines.filter { !$0.hasPrefix("[tessera] ") }.suffix(count)
      .map { String($0).printable(atMost: 400) }
  }

  /// Notes a measurement.
  func log(name metric: String, value: Double, step: Int?, round: Int?) {
    struct Line: Encodable {
      var time: String
      var round: Int?
      var name: String
      var value: Double
      var step: Int?
    }
    if measurements == nil {
      measurements = try? RotatedFile(folder.appending("\(name).jsonl"))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    let line = Line(
      time: Date().ISO8601Format(),
      round: round,
      name: metric,
      value: value,
      step: step
    )
    guard let data = try? encoder.encode(line) else { return }
    measurements?.write((Array(data) + [UInt8(ascii: "\n")])[...])
  }
}
