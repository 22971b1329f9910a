import Foundation

/// The memory of a process, as the system sees it.
public enum Memory {
  struct Unknown: Error {}

  /// The bytes that are in memory now.
  public static func current(of process: String = "self") throws -> Int {
    try field("VmRSS:", of: process)
  }

  /// The most that were since the start, or since the peak was forgotten.
  public static func peak(of process: String = "self") throws -> Int {
    try field("VmHWM:", of: process)
  }

  private static func field(_ name: String, of process: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }),
      let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({
        Int($0)
      })
    else { throw Unknown() }
    return kilobytes * 1024
  }
}

/// The seconds that a process has computed so far, on all cores.
public func processorSeconds(of process: String = "self") throws -> Double {
  let line = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
  // The name, in parentheses, may hold anything.
  let fields = line[line.index(after: line.lastIndex(of: ")") ?? line.startIndex)...]
    .split(separator: " ")
  guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
    throw Memory.Unknown()
  }
  return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
}
