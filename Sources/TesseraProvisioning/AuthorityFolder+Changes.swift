internal import Foundation
internal import SystemPackage

/// What a project's file says otherwise than before.
extension AuthorityFolder {
  /// Those of a project who are there already, and are something else now.
  ///
  /// - Throws: ``ProvisioningError`` if one of them cannot become that.
  func changed(in project: Project) throws -> Set<String> {
    var changed: Set<String> = []
    for participant in project.participants {
      guard let known = participants[participant.name],
        known.participant != participant || isHalfChanged(known)
      else { continue }
      guard known.participant.kind == participant.kind,
        known.participant.name == participant.name
      else {
        throw ProvisioningError(
          code: .notAllowed,
          message: """
            \(participant.name) has a certificate as \(known.participant.name), a \(known.participant.kind.rawValue): revoke it, \
            and choose another name
            """
        )
      }
      guard !isRevoked(known) else {
        throw ProvisioningError(
          code: .revoked,
          message:
            "\(participant.name)'s certificate was revoked: what is new in the project's file cannot be certified"
        )
      }
      changed.insert(participant.name)
    }
    return changed
  }

  /// Why certificates end whose participant is something else now.
  private static func reason(_ name: String) -> String { "it says what \(name) is no longer" }

  /// Whether a participant's certificate ended for one that it has not been given: somebody ended the program in between.
  private func isHalfChanged(_ entry: ParticipantList.Entry) -> Bool {
    revocations.entry(for: entry.serial)?.reason == Self.reason(entry.participant.name)
  }

  /// Whether a participant was revoked, for good.
  func isRevoked(_ entry: ParticipantList.Entry) -> Bool {
    revocations.entry(for: entry.serial) != nil && !isHalfChanged(entry)
  }

  /// Certifies what a participant is now.
  mutating func change(
    to participant: Participant,
    days: Int,
    at now: Date
  ) throws -> Outcome.Change {
    guard let known = participants[participant.name] else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "there is no participant '\(participant.name)'"
      )
    }
    let before = known.participant
    // Who was an administrator would stay one by the certificate of before. That a server was reached elsewhere harms nobody, and
    // it runs by its old certificate until it has the new one.
    let isRevoked =
      before.role != participant.role || before.organisation != participant.organisation
      || isHalfChanged(known)
    let files = try reissue(
      participant,
      days: days,
      at: now,
      revokingFormer: isRevoked ? Self.reason(participant.name) : nil
    )
    return Outcome.Change(
      files: files,
      what: Self.differences(from: before, to: participant),
      isRevoked: isRevoked
    )
  }

  private static func differences(from before: Participant, to now: Participant) -> String {
    var all: [String] = []
    if before.role != now.role { all.append("role \(now.role?.rawValue ?? "none")") }
    if before.organisation != now.organisation { all.append("organisation \(now.organisation)") }
    if before.addresses != now.addresses {
      all.append("address \(now.addresses.joined(separator: ", "))")
    }
    if before.port != now.port { all.append("port \(now.port.map(String.init) ?? "none")") }
    return all.joined(separator: ", ")
  }

  /// Whether a participant came by a request of its own.
  ///
  /// Lists of before do not say it: there, who has a kit without keys has kept these.
  func isRequested(_ entry: ParticipantList.Entry) -> Bool {
    if let known = entry.isRequested { return known }
    let startup = kitFolder(of: entry.participant).pushing(StartupKit.startup)
    return KitFile.exists(startup) && !KitFile.exists(startup.appending("own.key"))
  }

  // MARK: Settings

  /// What the authority remembers of the project's file.
  private struct Settings: Codable {
    var certificateDays: Int
  }

  private var settingsFile: FilePath { files.appending("settings.json") }

  /// How long certificates are good for where nobody says otherwise, in days: as the project's file said when `provision` read it.
  public var certificateDays: Int {
    guard let text = try? KitFile.text(settingsFile),
      let settings = try? JSONDecoder().decode(Settings.self, from: Data(text.utf8)),
      (1...3650).contains(settings.certificateDays)
    else { return 730 }
    return settings.certificateDays
  }

  /// Remembers it for those who come by a request, and for renewals.
  func keep(certificateDays days: Int) throws {
    let text = String(
      decoding: try JSONEncoder().encode(Settings(certificateDays: days)),
      as: UTF8.self
    )
    try KitFile.write(text + "\n", to: settingsFile)
  }
}
