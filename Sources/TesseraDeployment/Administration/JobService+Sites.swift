internal import Foundation
internal import TesseraFederation
internal import TesseraProvisioning

/// What users ask of a server about its sites.
extension JobService {
  /// All sites of the federation.
  public func sites(for person: Person) throws -> [SiteStatus] {
    try require(.view, "sites", by: person)
    let connected = network.connectedSites
    let disabled = try store.disabledSites()
    let running = try store.jobs().filter { $0.state == .dispatched || $0.state == .running }
    return kit.participants.entries.map(\.participant).filter { $0.kind == .site }.map { site in
      SiteStatus(
        name: site.name,
        organisation: site.organisation,
        isConnected: connected.contains(site.name),
        isDisabled: disabled.contains(site.name),
        jobs: running.filter {
          $0.sites.contains { $0.name == site.name } && allows(.view, by: person, on: $0)
        }.map(\.id),
        description: shown(of: site, to: person)
      )
    }
  }

  /// What a site has said of itself, if its policy lets a person see it.
  private func shown(of site: Participant, to person: Person) -> SiteDescription? {
    guard var description = described[site.name],
      description.rights?.decide(.view, by: person, on: nil, at: site).isAllowed ?? true
    else { return nil }
    description.rights = nil
    description.jobs = description.jobs.filter { id in
      (try? store.job(id)).flatMap { $0 }.map { allows(.view, by: person, on: $0) } ?? false
    }
    return description
  }

  /// A site, which is asked anew what it is.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/notFound`` if there is none, with code
  ///   ``DeploymentError/Code/unavailable`` if it is not there, and with code ``DeploymentError/Code/notAllowed`` if the policy of the
  ///   server or the site forbids it.
  public func site(_ name: String, for person: Person) async throws -> SiteStatus {
    try require(.view, "site-info \(name)", by: person)
    let site = try participant(name)
    let description = try await describe(site.name)
    described[site.name] = description
    // The site decides who sees more of it than that it is there.
    if let decision = description.rights?.decide(.view, by: person, on: nil, at: site) {
      if !decision.isAllowed { try observe(.asked("site-info \(name)", by: person, decision)) }
      try decision.require()
    }
    guard let status = try sites(for: person).first(where: { $0.name == site.name }) else {
      throw DeploymentError(code: .notFound, message: "there is no site \(name)")
    }
    return status
  }

  /// Says whether a site is given new jobs; what it works at goes on.
  public func set(_ name: String, isDisabled: Bool, by person: Person) throws {
    let site = try participant(name)
    try require(.operate, "\(isDisabled ? "disable" : "enable") \(name)", by: person, at: site)
    try store.setSite(site.name, isDisabled: isDisabled)
    lookAgain()
  }

  /// Takes a site out of the jobs that it works at, gives it no new ones, and ends its connection.
  ///
  /// Its open tasks have failed by that. A site whose certificate is still good can connect again; `revoke` keeps it out for good.
  public func remove(_ name: String, by person: Person) throws {
    let site = try participant(name)
    try require(.operate, "remove \(name)", by: person, at: site)
    try store.setSite(site.name, isDisabled: true)
    network.remove(site.name, because: "\(site.name) was removed by \(person.name)")
    lookAgain()
  }

  /// Has a site do something; its own policy decides, too, by the signature of who wants it.
  ///
  /// - Parameters:
  ///   - operation: What the site is to do, which goes to it as it was signed.
  ///   - person: Who asks, by the certificate of the connection.
  /// - Throws: ``DeploymentError`` if somebody else has signed it, the policies forbid it, or the site does not answer.
  public func operate(_ operation: SignedOperation, by person: Person) async throws {
    let site = try participant(operation.site)
    let signer = try operation.verify(
      at: site.name,
      knowing: kit.participants,
      revocations: revocations.list
    )
    guard signer == person else {
      throw DeploymentError(
        code: .notAllowed,
        message:
          "\(person.name) asks for the operation '\(operation.operation.name)' that \(signer.name) has signed"
      )
    }
    try require(.operate, "\(operation.operation.name) \(site.name)", by: person, at: site)
    let headers = [
      "operation": String(decoding: operation.text, as: UTF8.self),
      "signature": operation.signature.base64EncodedString(),
    ]
    _ = try await ask(.operate, Exchange(.custom("operation"), headers: headers), site.name)
  }

  /// Asks whether a person may operate the server itself.
  public func requireOperation(_ operation: SiteOperation, by person: Person) throws {
    try require(.operate, "\(operation.name) \(kit.participant.name)", by: person)
  }

  private func participant(_ name: String) throws -> Participant {
    guard let site = kit.participants[name]?.participant, site.kind == .site else {
      throw DeploymentError(code: .notFound, message: "there is no site \(name)")
    }
    return site
  }
}
