import Foundation
import SystemPackage
import TesseraFederation
import TesseraProvisioning

/// A federation on loopback: kits in a temporary folder, which goes with the federation.
final class LoopbackFolder {
  let path = FilePath(NSTemporaryDirectory()).appending("tessera-\(UUID().uuidString)")

  init(sites count: Int) throws {
    let server = try Participant(
      name: "server",
      kind: .server,
      organisation: "hub",
      addresses: ["127.0.0.1"],
      port: Project.usualPort
    )
    let sites = try (0..<count).map {
      try Participant(name: Self.name($0), kind: .site, organisation: "site \($0)")
    }
    _ = try AuthorityFolder.provision(
      Project(name: "loopback", participants: [server] + sites),
      in: path
    )
  }

  deinit { try? FileManager.default.removeItem(atPath: path.string) }

  static func name(_ index: Int) -> String { "site-\(index + 1)" }

  static func kit(_ name: String, in folder: String) throws -> StartupKit {
    try StartupKit(contentsOf: FilePath(folder).appending("kits").appending(name))
  }

  static func sites(_ count: Int) -> [Site] {
    (0..<count).map { Site(index: $0, name: name($0), exampleCount: 1) }
  }
}
