internal import Foundation

/// What this process uses of the machine, as Linux counts it.
struct ProcessUsage: Sendable, Hashable {
  /// Memory that is in RAM, in bytes.
  var residentBytes: Double
  /// Memory that is addressed, in bytes.
  var virtualBytes: Double
  /// Time that processors worked for it, in seconds.
  var processorSeconds: Double
  /// When it started, in seconds since 1970.
  var startTime: Double
  /// How many files and connections are open.
  var openFiles: Double
  /// How many may be.
  var mostFiles: Double
  /// How many threads it has.
  var threads: Double

  /// What it uses now; `nil` if the system does not say.
  static var now: ProcessUsage? {
    guard let stat = text("/proc/self/stat"), let system = text("/proc/stat"),
      let boot = system.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
      let bootTime = Double(boot.dropFirst(6)),
      // The program's name is in brackets, and may hold anything.
      let bracket = stat.lastIndex(of: ")")
    else { return nil }
    let fields = stat[bracket...].dropFirst().split(separator: " ").map { Double($0) ?? 0 }
    guard fields.count > 21 else { return nil }
    let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let files = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0
    return ProcessUsage(
      residentBytes: fields[21] * Double(sysconf(Int32(_SC_PAGESIZE))),
      virtualBytes: fields[20],
      processorSeconds: (fields[11] + fields[12]) / ticks,
      startTime: bootTime + fields[19] / ticks,
      openFiles: Double(files),
      mostFiles: limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur),
      threads: fields[17]
    )
  }

  private static func text(_ path: String) -> String? {
    // Files in /proc have no size that could be asked for.
    guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() else {
      return nil
    }
    return String(decoding: data, as: UTF8.self)
  }
}
