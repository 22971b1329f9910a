import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraFederationGRPC

/// The process of a server: FedAvg from the model in a file, and the seconds of each round.
enum RoundServer {
  static func run(folder: String, sites count: Int, rounds: Int) async throws {
    let server = try FederationServer(
      LoopbackFolder.kit("server", in: folder),
      host: "127.0.0.1",
      port: 0
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      tell("\(try await server.port)")
      let federation = Federation(
        workflow: try FedAvg(rounds: rounds),
        transport: server.transport(of: "job", to: LoopbackFolder.sites(count)),
        key: RandomKey(seed: 1)
      )
      _ = try await federation.run(
        from: WorkflowState(
          model: try ModelState(contentsOf: FilePath(folder).appending("model.safetensors"))
        ),
        finishRound: { tell("\($0.duration / .seconds(1))") }
      )
      // The parent looks at the processes' memory first.
      for try await _ in group {}
    }
  }
}

/// The process of a site: adds a constant to each model that it is sent.
enum RoundSite {
  struct AddingExecutor: Executor {
    func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
      .weights(try task.model.mapTensors { try $1 + 0.001 }, weight: 1, metrics: ["loss": 0])
    }
  }

  static func run(folder: String, name: String, port: Int) async throws {
    let kit = try LoopbackFolder.kit(name, in: folder)
    let site = try FederationSite(kit, host: "127.0.0.1", port: port) { _ in
      SiteWorker(executor: AddingExecutor())
    }
    try await site.run()
  }
}
