public import SystemPackage
internal import TesseraConfiguration

/// What `project.yml` says: who takes part in a federation.
///
///     name: chest
///     servers:
///       - {name: server, organisation: hub, address: fl.example.org, port: 7443}
///     sites:
///       - {name: north, organisation: north-hospital}
///       - {name: south, organisation: south-hospital}
///     users:
///       - {name: ada@example.org, organisation: hub, role: project-admin}
public struct Project: Sendable, Hashable {
  /// The federation's name.
  public var name: String
  /// How long participants' certificates are good for, in days.
  public var certificateDays: Int
  /// All participants: servers, sites, users, in the order of the file.
  public var participants: [Participant]

  /// The port that servers listen at, unless they say otherwise.
  public static let usualPort = 7443

  /// A federation.
  ///
  /// - Throws: ``ProvisioningError`` if names are not unique, or there is no server or more than two.
  public init(name: String, certificateDays: Int = 730, participants: [Participant]) throws {
    self.name = name
    self.certificateDays = certificateDays
    self.participants = participants
    guard Participant.isName(name) else {
      throw ProvisioningError(
        code: .invalidName,
        message: "a project's name must be as a participant's: letters, digits, '.', '-', '_'"
      )
    }
    var seen: Set<String> = []
    // File systems and people may not tell A from a.
    for participant in participants where !seen.insert(participant.name.lowercased()).inserted {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(participant.name): two participants have this name"
      )
    }
    let servers = participants.count { $0.kind == .server }
    guard (1...2).contains(servers) else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "a federation has one server, or a second that stands by, not \(servers)"
      )
    }
  }

  /// Reads `project.yml`.
  ///
  /// - Throws: `ConfigurationError` with file, line and the nearest known key of everything that is wrong.
  public init(contentsOf path: FilePath) throws {
    self = try ConfigurationFile(contentsOf: path).decode { file in
      let name = try file.required("name", .text)
      let days = try file.optional("certificate_days", .integer(in: 1...3650), default: 730)
      let servers = try file.required("servers", .list(of: .server, count: 1...2))
      let sites = try file.required("sites", .list(of: .site, count: 0...10_000))
      let users = try file.optional("users", .list(of: .user, count: 0...10_000), default: [])
      do {
        return try Project(
          name: name,
          certificateDays: days,
          participants: servers + sites + users
        )
      } catch let error as ProvisioningError {
        throw file.error(at: error.code == .invalidName ? "name" : "sites", error.message)
      }
    }
  }
}

extension Schema where Value == Participant {
  fileprivate static var server: Schema {
    .checked { entry in
      let first = try entry.required("address", .text)
      let others = try entry.optional("also", .list(of: .text), default: [])
      return try Participant(
        name: entry.required("name", .text),
        kind: .server,
        organisation: entry.required("organisation", .text),
        addresses: [first] + others,
        port: entry.optional("port", .integer(in: 1...65_535), default: Project.usualPort)
      )
    }
  }

  fileprivate static var site: Schema {
    .checked { entry in
      try Participant(
        name: entry.required("name", .text),
        kind: .site,
        organisation: entry.required("organisation", .text)
      )
    }
  }

  fileprivate static var user: Schema {
    .checked { entry in
      try Participant(
        name: entry.required("name", .text),
        kind: .user,
        organisation: entry.required("organisation", .text),
        role: entry.required("role", .choice)
      )
    }
  }

  /// A mapping whose contents make no participant is an error at its name.
  private static func checked(_ body: @escaping (Mapping) throws -> Participant) -> Schema {
    .mapping { entry in
      do { return try body(entry) } catch let error as ProvisioningError {
        throw entry.error(at: "name", error.message)
      }
    }
  }
}
