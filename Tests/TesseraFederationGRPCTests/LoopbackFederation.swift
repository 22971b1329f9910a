import Foundation
import SystemPackage
import TesseraCore
import TesseraData
import TesseraFederation
import TesseraFederationGRPC
import TesseraProvisioning

/// A server and sites of one federation, over TLS on loopback.
final class LoopbackFederation: Sendable {
  let folder = FilePath(NSTemporaryDirectory()).appending("tessera-\(UUID().uuidString)")
  let sites: [Site]

  /// Kits for so many sites.
  ///
  /// - Parameters:
  ///   - count: How many.
  ///   - withData: Whether each site has images of its own.
  ///   - addresses: Where the server is said to be.
  ///   - time: When the certificates begin.
  /// - Throws: What keeps files from being written.
  init(
    sites count: Int,
    withData: Bool = false,
    addresses: [String] = ["127.0.0.1"],
    at time: Date = Date()
  ) throws {
    sites = (0..<count).map { Site(index: $0, name: "site-\($0 + 1)", exampleCount: 10 + $0) }
    let project = try Project(
      name: "loopback",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "hub",
          addresses: addresses,
          port: 7443
        )
      ] + sites.map { try Participant(name: $0.name, kind: .site, organisation: $0.name) }
        + [
          Participant(name: "ada", kind: .user, organisation: "hub", role: .lead),
          Participant(name: "root", kind: .user, organisation: "hub", role: .projectAdmin),
          Participant(name: "mia", kind: .user, organisation: "hub", role: .member),
        ]
    )
    _ = try AuthorityFolder.provision(project, in: folder, at: time)
    guard withData else { return }
    for site in sites {
      let place = folder.appending("data-\(site.name)")
      try FileManager.default.createDirectory(
        atPath: place.string,
        withIntermediateDirectories: true
      )
      try IDXFolder.write(Self.images(at: site), as: .train, to: place)
      try "images: {shapes: \(place)}\n".write(
        toFile: folder.appending("kits").appending(site.name).appending("local/data.yml").string,
        atomically: true,
        encoding: .utf8
      )
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder.string) }

  /// Images of three classes, each of another brightness, as many as the site has examples.
  static func images(at site: Site) throws -> LabelledImages {
    let labels = (0..<site.exampleCount).map { $0 % 3 }
    let generator = try Generator(key: RandomKey(seed: UInt64(site.index)))
    let noise = try Tensor.uniform([site.exampleCount, 1, 8, 8], using: generator)
    let levels = try Tensor(labels.map { Float($0) }).reshaped(to: [site.exampleCount, 1, 1, 1])
    return try LabelledImages(
      name: site.name,
      images: ((noise + levels) * 80).to(.uint8),
      labels: Tensor(labels.map { Int64($0) }),
      classNames: ["0", "1", "2"]
    )
  }

  func kit(_ name: String) throws -> StartupKit {
    try StartupKit(contentsOf: folder.appending("kits").appending(name))
  }

  func server(
    port: Int = 0,
    patience: Duration = .seconds(60),
    spool: FilePath? = FederationServer.temporaryFolder,
    observe: @escaping @Sendable (ServerConnectionEvent) -> Void = { _ in }
  ) throws -> FederationServer {
    try FederationServer(
      try kit("server"),
      host: "127.0.0.1",
      port: port,
      patience: patience,
      spool: spool,
      observe: observe
    )
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
