internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraDeployment
internal import TesseraFederationGRPC

/// The processes of a federation on one machine.
final class PocProcesses: Sendable {
  private struct Running: @unchecked Sendable {
    // Foundation's Process is only started and signalled here, under the lock.
    var processes: [Process] = []
  }
  private let running = Mutex(Running())
  private let folder: FilePath
  private let sites: [String]
  /// The sites that have not found the server.
  private let missing: Mutex<[String]>
  private let number: Int
  /// Something was written to a log, or a process has ended.
  private let happenings: AsyncStream<Void>
  private let happening: AsyncStream<Void>.Continuation

  /// Starts them; the sites connect as soon as the server listens.
  init(folder: FilePath, server: FilePath, sites: [(name: String, kit: FilePath)]) throws {
    self.folder = folder
    self.sites = sites.map(\.name)
    missing = Mutex(sites.map(\.name))
    (happenings, happening) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    number = try Self.freePort()
    try FileManager.default.createDirectory(
      atPath: folder.appending("logs").string,
      withIntermediateDirectories: true
    )
    try start("server", ["server", server.string, "--host", "127.0.0.1", "--port", "\(number)"])
    for site in sites {
      try start(
        site.name,
        ["site", site.kit.string, "--server", "127.0.0.1:\(number)", "--lanes", "1"]
      )
    }
  }

  /// The port that the server listens at, once it does.
  var port: Int {
    get async throws {
      // The console's first call waits for nothing: the port is asked until it answers.
      for _ in 0..<3000 {
        if Self.answers(number) { return number }
        guard running.withLock({ $0.processes.first?.isRunning == true }) else {
          throw DeploymentError(
            code: .unavailable,
            message: "the server has ended: \(folder.appending("logs").appending("server.log"))"
          )
        }
        try await Task.sleep(for: .milliseconds(10))
      }
      throw DeploymentError(code: .unavailable, message: "the server does not listen")
    }
  }

  /// Waits until all sites have found the server, by what their logs say.
  ///
  /// - Parameter say: Is told every few seconds which sites have not, and where they say why.
  /// - Throws: ``DeploymentError`` naming the log of a process that has ended.
  func waitForSites(say: @escaping @Sendable (_ missing: [String]) -> Void) async throws {
    let logs = folder.appending("logs")
    guard let watch = FileWatch(folder: logs, seesWriting: true) else {
      throw DeploymentError(code: .cannotRead, message: "\(logs) cannot be watched")
    }
    let (happening, happenings) = (happening, happenings)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in watch.changes { happening.yield() } }
      group.addTask {
        happening.yield()
        for await _ in happenings {
          let isComplete = self.missing.withLock { missing in
            missing.removeAll { Self.isConnected(by: logs.appending("\($0).log")) }
            return missing.isEmpty
          }
          if isComplete { return }
          if let ended = self.ended {
            throw DeploymentError(
              code: .unavailable,
              message: "\(ended) has ended: \(logs.appending("\(ended).log"))"
            )
          }
        }
        try Task.checkCancellation()
      }
      group.addTask {
        // A site that is refused tries again and again, which nobody sees.
        while true {
          try await ContinuousClock().sleep(for: Self.patience)
          say(self.missing.withLock { $0 }.map { "\($0) (\(logs.appending("\($0).log")))" })
        }
      }
      // The others do not end.
      try await group.next()
      group.cancelAll()
    }
  }

  /// A process that has ended, by its name.
  private var ended: String? {
    let names = ["server"] + sites
    return running.withLock { running in
      zip(names, running.processes).first { !$1.isRunning }?.0
    }
  }

  /// After which time it is said what is waited for.
  private static let patience = Duration.seconds(5)

  private static func isConnected(by log: FilePath) -> Bool {
    let text = FileManager.default.contents(atPath: log.string)
      .map { String(decoding: $0, as: UTF8.self) }
    return (text ?? "").split(separator: "\n").contains { line in
      // The time, the level, whose it is, and the message, which is this word: others may hold it.
      line.split(separator: " ").dropFirst(2).first { !$0.hasPrefix("site=") } == "connected"
    }
  }

  private func start(_ name: String, _ arguments: [String]) throws {
    let log = folder.appending("logs").appending("\(name).log")
    try Data().write(to: URL(fileURLWithPath: log.string))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = arguments
    // What this machine's own federation shares is none of this one's.
    process.environment = ProcessInfo.processInfo.environment.filter {
      $0.key != DatabaseOptions.variable
    }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: log.string)
    let happening = happening
    process.terminationHandler = { _ in happening.yield() }
    try process.run()
    running.withLock { $0.processes.append(process) }
  }

  /// Ends them all.
  func stop() {
    let processes = running.withLock(\.processes)
    for process in processes.reversed() where process.isRunning { process.terminate() }
    for process in processes { process.waitUntilExit() }
  }

  /// Until the current task is cancelled.
  func waitUntilStopped() async throws {
    let (stream, _) = AsyncStream<Never>.makeStream()
    for await _ in stream {}
    try Task.checkCancellation()
  }

  /// A port that nobody listens at.
  private static func freePort() throws -> Int {
    let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(handle) }
    var address = loopback(0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    var length = size
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(handle, $0, size) == 0 && getsockname(handle, $0, &length) == 0
      }
    }
    guard isBound else {
      throw DeploymentError(code: .unavailable, message: "there is no free port on this machine")
    }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  private static func answers(_ port: Int) -> Bool {
    let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(handle) }
    var address = loopback(port)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(clamping: port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
