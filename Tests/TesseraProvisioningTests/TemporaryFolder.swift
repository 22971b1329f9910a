import Foundation
import SystemPackage
import TesseraProvisioning

/// A folder that goes with its last user.
final class TemporaryFolder: Sendable {
  let path = FilePath(NSTemporaryDirectory()).appending("tessera-\(UUID().uuidString)")

  init() {
    try? FileManager.default.createDirectory(
      atPath: path.string,
      withIntermediateDirectories: true
    )
  }

  deinit { try? FileManager.default.removeItem(atPath: path.string) }

  func write(_ text: String, to name: String) throws {
    try text.write(toFile: path.appending(name).string, atomically: true, encoding: .utf8)
  }
}

/// A federation of a server, two sites and two people.
enum Chest {
  static func project(sites: [String] = ["north", "south"]) throws -> Project {
    try Project(
      name: "chest",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "hub",
          addresses: ["localhost", "127.0.0.1"],
          port: 7443
        )
      ]
        + sites.map { try Participant(name: $0, kind: .site, organisation: "\($0) hospital") }
        + [
          Participant(name: "ada@hub", kind: .user, organisation: "hub", role: .projectAdmin),
          Participant(name: "bo@north", kind: .user, organisation: "north hospital", role: .lead),
        ]
    )
  }
}

func permissions(of path: FilePath) throws -> Int? {
  try FileManager.default.attributesOfItem(atPath: path.string)[.posixPermissions] as? Int
}
