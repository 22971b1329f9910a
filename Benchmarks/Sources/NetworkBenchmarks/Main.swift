import Foundation
import Measuring
import TesseraCore

/// What a federation costs between processes, over TCP on loopback and mutual TLS.
///
/// The program starts itself again with other arguments for each process: `serve`, `work`, `attend`.
@main
struct Main {
  static func main() async throws {
    // A thousand connections are more files than a shell allows at first.
    OpenFiles.allowAsManyAsPossible()
    let arguments = Array(CommandLine.arguments.dropFirst())
    func number(_ position: Int, or usual: Int) -> Int {
      arguments.indices.contains(position) ? Int(arguments[position]) ?? usual : usual
    }
    func text(_ position: Int) -> String {
      arguments.indices.contains(position) ? arguments[position] : ""
    }
    if ["serve", "work", "wait", "attend"].contains(arguments.first) {
      // A child ends with its parent, however that ends.
      Thread.detachNewThread {
        _ = try? FileHandle.standardInput.readToEnd()
        exit(0)
      }
    }
    // As the programs `server` and `site` do.
    if ["serve", "work", "wait"].contains(arguments.first) { ProcessMemory.keepLittle() }
    switch arguments.first {
    case "small-round": try await NetworkRound.small(rounds: number(1, or: 300))
    case "large-round": try await NetworkRound.large(rounds: number(1, or: 9))
    case "idle-sites": try await IdleSites.run(sites: number(1, or: 1000))
    case "serve":
      try await RoundServer.run(folder: text(1), sites: number(2, or: 2), rounds: number(3, or: 1))
    case "work": try await RoundSite.run(folder: text(1), name: text(2), port: number(3, or: 0))
    case "wait": try await IdleServer.run(folder: text(1), sites: number(2, or: 1))
    case "attend":
      try await IdleSites.attend(
        folder: text(1),
        from: number(2, or: 0),
        count: number(3, or: 1),
        port: number(4, or: 0)
      )
    default:
      FileHandle.standardError.write(
        Data(
          "usage: NetworkBenchmarks small-round|large-round [rounds] | idle-sites [sites]\n".utf8
        )
      )
      exit(64)
    }
  }
}

enum OpenFiles {
  static func allowAsManyAsPossible() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
