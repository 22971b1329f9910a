import Foundation
import Measuring
import TesseraFederation
import TesseraFederationGRPC

/// The process of a server whose sites have nothing to do.
enum IdleServer {
  static func run(folder: String, sites count: Int) async throws {
    let server = try FederationServer(
      LoopbackFolder.kit("server", in: folder),
      host: "127.0.0.1",
      port: 0
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      tell("\(try await server.port)")
      while server.connectedSites.count < count {
        try await Task.sleep(for: .milliseconds(100))
      }
      tell("connected")
      for try await _ in group {}
    }
  }
}

/// A thousand sites, each with its certificate and its connection, in a few processes: what they cost the server while nothing happens.
enum IdleSites {
  private static let perProcess = 250
  private static let watched = 60.0

  static func run(sites: Int) async throws {
    let folder = try LoopbackFolder(sites: sites)
    let server = try ChildProcess("wait", folder.path.string, "\(sites)")
    let port = try server.line()
    let processes = try stride(from: 0, to: sites, by: perProcess).map {
      try ChildProcess(
        "attend",
        folder.path.string,
        "\($0)",
        "\(min(perProcess, sites - $0))",
        port
      )
    }
    _ = try server.line()
    let start = try server.processorSeconds
    try await Task.sleep(for: .seconds(watched))
    let share = (try server.processorSeconds - start) / watched
    report(
      "idle server with \(sites) sites",
      ours: String(format: "%.2f %% of a core", share * 100),
      theirs: "limit 2 %",
      ratio: share / 0.02,
      limit: 1
    )
    let peak = Double(try server.peakMemory) / 1e6
    report(
      "peak memory of this server",
      ours: String(format: "%.0f MB", peak),
      theirs: "limit 600 MB",
      ratio: peak / 600,
      limit: 1
    )
    for process in processes { process.end() }
    server.end()
  }

  /// A process with some of the sites.
  static func attend(folder: String, from first: Int, count: Int, port: Int) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for index in first..<first + count {
        let kit = try LoopbackFolder.kit(LoopbackFolder.name(index), in: folder)
        let site = try FederationSite(kit, host: "127.0.0.1", port: port) { _ in
          SiteWorker(executor: RoundSite.AddingExecutor())
        }
        group.addTask { try await site.run() }
      }
      try await group.waitForAll()
    }
  }
}
