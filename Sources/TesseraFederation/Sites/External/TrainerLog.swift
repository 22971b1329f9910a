internal import Foundation
internal import Glibc
internal import SystemPackage

/// What a site keeps of what its trainer says: for its own people, since it may hold data.
///
/// `SITE.log` has what the program writes to standard output and standard error, with a line of the site's for each start and
/// end. `SITE.jsonl` has a line for each measurement that it logs.
final class TrainerLog {
  private let folder: FilePath
  private let name: String
  /// Where the program's own output begins: what was there before is another's.
  private var start = 0
  private var measurements: Int32 = -1
  private(set) var output: Int32 = -1

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
    output = try Self.open(folder.appending("\(name).log"))
  }

  deinit {
    if output >= 0 { close(output) }
    if measurements >= 0 { close(measurements) }
  }

  /// Notes what the site has to say.
  func note(_ text: String) {
    let line = "[tessera] \(Date().ISO8601Format()) \(text)\n"
    Self.write(Array(line.utf8), to: output)
  }

  /// From here on it is another process that writes.
  func begin() {
    let end = lseek(output, 0, SEEK_END)
    start = end < 0 ? 0 : Int(end)
  }

  /// The last lines of the process that has written last.
  func lastLines(_ count: Int = 10) -> [String] {
    let end = Int(lseek(output, 0, SEEK_END))
    let from = max(start, end - 4096)
    guard end > from else { return [] }
    var bytes = [UInt8](repeating: 0, count: end - from)
    let read = pread(output, &bytes, bytes.count, from)
    guard read > 0 else { return [] }
    let lines = String(decoding: bytes.prefix(read), as: UTF8.self).split(separator: "\n")
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
    if measurements < 0 {
      guard let opened = try? Self.open(folder.appending("\(name).jsonl")) else { return }
      measurements = opened
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
    Self.write(Array(data) + [UInt8(ascii: "\n")], to: measurements)
  }

  private static func open(_ path: FilePath) throws -> Int32 {
    let descriptor = Glibc.open(
      path.string,
      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
      0o600
    )
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    return descriptor
  }

  /// A full disk loses lines of the log, and nothing else.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    _ = Glibc.write(descriptor, bytes, bytes.count)
  }
}
