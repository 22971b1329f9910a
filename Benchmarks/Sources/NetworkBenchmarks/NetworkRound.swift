import Foundation
import Measuring
import TesseraCore

/// Rounds between a server's process and those of sites that add a constant to the model.
struct NetworkRound {
  /// What came of rounds.
  struct Figures {
    /// The seconds of each.
    var times: [Double]
    /// The most memory of the server's process, in bytes.
    var server: Int
    /// The most memory of a site's process, in bytes.
    var site: Int
  }

  /// How many sites there are; all take part in each round.
  var sites: Int
  /// How many elements of 4 bytes the model has, drawn at random.
  var elements: Int

  func figures(rounds: Int, warmUp: Int) async throws -> Figures {
    let folder = try LoopbackFolder(sites: sites)
    let model = try ModelState([
      (
        name: "weight",
        tensor: Tensor.uniform([elements], in: -1..<1, using: Generator(key: RandomKey(seed: 1)))
      )
    ])
    try model.write(to: folder.path.appending("model.safetensors"))
    let server = try ChildProcess("serve", folder.path.string, "\(sites)", "\(rounds + warmUp)")
    let port = try server.line()
    let workers = try (0..<sites).map {
      try ChildProcess("work", folder.path.string, LoopbackFolder.name($0), port)
    }
    var times: [Double] = []
    for _ in 0..<rounds + warmUp { times.append(Double(try server.line()) ?? .infinity) }
    let figures = Figures(
      times: Array(times.dropFirst(warmUp)),
      server: try server.peakMemory,
      site: try workers.map { try $0.peakMemory }.max() ?? 0
    )
    for worker in workers { worker.end() }
    server.end()
    return figures
  }

  /// 1 KB at 2 and at 8 sites.
  static func small(rounds: Int) async throws {
    let bars = [
      (2, 5e-3, "FLARE's 2,506 ms; Flower's 9,300 ms"),
      (8, 12e-3, "FLARE's 2,508 ms; Flower's 26,000 ms"),
    ]
    for (sites, limit, peers) in bars {
      let figures = try await NetworkRound(sites: sites, elements: 256)
        .figures(rounds: rounds, warmUp: 20)
      report(
        "round between processes, \(sites) sites, 1 KB",
        ours: milliseconds(median(figures.times)),
        theirs: "limit \(Int(limit * 1e3)) ms (\(peers))",
        ratio: median(figures.times) / limit,
        limit: 1
      )
    }
  }

  /// 100 MB at 2 sites.
  static func large(rounds: Int) async throws {
    let figures = try await NetworkRound(sites: 2, elements: 25_000_000)
      .figures(rounds: rounds, warmUp: 2)
    report(
      "round between processes, 2 sites, 100 MB",
      ours: String(format: "%.3f s", median(figures.times)),
      theirs: "limit 0.9 s (FLARE's 5.9–10.7 s; Flower's 17–25 s)",
      ratio: median(figures.times) / 0.9,
      limit: 1
    )
    for (name, bytes, limit, peers) in [
      ("the server", figures.server, 400.0, "FLARE's 1,730 MB"),
      ("a site", figures.site, 450.0, "FLARE's 1,300 MB"),
    ] {
      let peak = Double(bytes) / 1e6
      report(
        "peak memory of \(name) there",
        ours: String(format: "%.0f MB", peak),
        theirs: "limit \(Int(limit)) MB (\(peers))",
        ratio: peak / limit,
        limit: 1
      )
    }
  }
}
