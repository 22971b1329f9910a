import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning

/// A server and sites of one federation, over TLS on loopback.
final class LoopbackFederation: Sendable {
  let folder = FilePath(NSTemporaryDirectory()).appending("tessera-\(UUID().uuidString)")
  let sites: [Site]

  init(sites count: Int) throws {
    sites = (0..<count).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10 + $0) }
    let project = try Project(
      name: "loopback",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "hub",
          addresses: ["127.0.0.1"],
          port: 7443
        )
      ] + sites.map { try Participant(name: $0.name, kind: .site, organisation: $0.name) }
        + [Participant(name: "ada", kind: .user, organisation: "hub", role: .lead)]
    )
    _ = try AuthorityFolder.provision(project, in: folder)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder.string) }

  func kit(_ name: String) throws -> StartupKit {
    try StartupKit(contentsOf: folder.appending("kits").appending(name))
  }

  func server(patience: Duration = .seconds(60)) throws -> FederationServer {
    try FederationServer(try kit("server"), host: "127.0.0.1", port: 0, patience: patience)
  }

  func site(_ name: String, port: Int, _ executor: any Executor) throws -> FederationSite {
    try FederationSite(try kit(name), host: "127.0.0.1", port: port) { _ in
      SiteWorker(executor: executor)
    }
  }
}

/// Adds to each element a number that the site's key draws: what a simulation answers, a deployment must answer too.
struct Drawing: Executor {
  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    site.progress()
    let generator = try Generator(key: task.key)
    return .weights(
      try task.model.mapTensors { _, tensor in
        try (tensor + Tensor.uniform(tensor.shape, using: generator)).to(tensor.dtype)
      },
      samples: site.site.exampleCount,
      metrics: ["loss": 0.5]
    )
  }
}
