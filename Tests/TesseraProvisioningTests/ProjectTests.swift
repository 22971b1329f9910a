import SystemPackage
import TesseraConfiguration
import TesseraProvisioning
import Testing

@Suite struct ProjectTests {
  private func read(_ text: String) throws -> Project {
    let folder = TemporaryFolder()
    try folder.write(text, to: "project.yml")
    return try Project(contentsOf: folder.path.appending("project.yml"))
  }

  @Test func aProjectListsServersSitesAndUsers() throws {
    let project = try read(
      """
      name: chest
      certificate_days: 90
      servers:
        - {name: server, organisation: hub, address: fl.example.org, also: [10.0.0.4, '::1'], port: 8443}
      sites:
        - {name: north, organisation: North Hospital}
      users:
        - {name: ada@example.org, organisation: hub, role: project-admin}
      """
    )
    #expect(project.name == "chest")
    #expect(project.certificateDays == 90)
    #expect(project.participants.map(\.name) == ["server", "north", "ada@example.org"])
    #expect(project.participants[0].addresses == ["fl.example.org", "10.0.0.4", "::1"])
    #expect(project.participants[0].port == 8443)
    #expect(project.participants[2].role == .projectAdmin)
  }

  @Test(arguments: [
    ("../north", "1 to 63 letters"), ("", "1 to 63 letters"), ("a/b", "1 to 63 letters"),
    ("a b", "1 to 63 letters"), (".north", "1 to 63 letters"), ("Server", "two participants"),
    (String(repeating: "a", count: 64), "1 to 63 letters"), ("nörd", "1 to 63 letters"),
  ])
  func aSiteThatCannotBeNamedSoIsAnErrorWithItsLine(name: String, message: String) throws {
    let text = """
      name: chest
      servers: [{name: server, organisation: hub, address: localhost}]
      sites:
        - {name: "\(name)", organisation: north}
      """
    let error = try #require(throws: ConfigurationError.self) { try read(text) }
    #expect(error.description.contains(message))
    #expect(error.description.contains("project.yml:"))
  }

  @Test func unknownKeysAndRolesNameTheNearest() throws {
    let text = """
      name: chest
      servers: [{name: server, organisation: hub, adress: localhost}]
      sites: []
      users: [{name: ada, organisation: hub, role: leed}]
      """
    let error = try #require(throws: ConfigurationError.self) { try read(text) }
    #expect(error.description.contains("'address'"))
  }

  @Test(arguments: ["fl..example", "-a.example", "a_b", "1.2.3.4.5 ", "ex ample", "münchen.de"])
  func whatIsNoAddressIsRefused(address: String) {
    #expect(throws: ProvisioningError.self) {
      try Participant(
        name: "server",
        kind: .server,
        organisation: "hub",
        addresses: [address],
        port: 7443
      )
    }
  }

  @Test func thereIsAServerAndAtMostASecond() throws {
    let site = try Participant(name: "north", kind: .site, organisation: "north")
    #expect(throws: ProvisioningError.self) { try Project(name: "chest", participants: [site]) }
    let servers = try (1...3).map {
      try Participant(
        name: "server-\($0)",
        kind: .server,
        organisation: "hub",
        addresses: ["localhost"],
        port: 7443
      )
    }
    #expect(
      try Project(name: "chest", participants: [servers[0], servers[1], site]).name == "chest"
    )
    #expect(throws: ProvisioningError.self) { try Project(name: "chest", participants: servers) }
  }
}
