import Foundation
import SystemPackage
import TesseraDeployment
import TesseraProvisioning

/// The kits of a small federation: a server, two sites of two organisations, a lead and an org admin.
struct Kits {
  let folder: FilePath

  init(in folder: FilePath) throws {
    self.folder = folder.appending("federation")
    let project = try Project(
      name: "chest",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "Hub",
          addresses: ["127.0.0.1"],
          port: 7443
        ), Participant(name: "north", kind: .site, organisation: "North"),
        Participant(name: "south", kind: .site, organisation: "South"),
        Participant(name: "ada", kind: .user, organisation: "Hub", role: .lead),
        Participant(name: "olaf", kind: .user, organisation: "North", role: .orgAdmin),
      ]
    )
    _ = try AuthorityFolder.provision(project, in: self.folder)
  }

  func kit(_ name: String) throws -> StartupKit {
    try StartupKit(contentsOf: folder.appending("kits").appending(name))
  }
}
