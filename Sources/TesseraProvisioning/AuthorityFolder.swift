internal import Crypto
public import Foundation
public import SystemPackage
internal import X509

/// The folder from which a federation is provisioned: the authority's key, its lists, and the kits.
///
///     FOLDER/authority/   root.key, root.crt, participants.json, revoked.json, settings.json
///     FOLDER/kits/NAME/   a start-up kit for each participant
///     FOLDER/renewed/NAME/   what takes the place of files in a kit whose certificate was renewed
///
/// Whoever has `root.key` can admit anybody: the folder belongs on one machine, and in a backup.
public struct AuthorityFolder {
  /// Where it lies.
  public let folder: FilePath
  let authority: CertificateAuthority
  /// All participants.
  public private(set) var participants: ParticipantList
  /// The certificates that are good no longer.
  public private(set) var revocations: RevocationList

  var files: FilePath { folder.appending("authority") }

  /// What provisioning did.
  public struct Outcome: Sendable, Hashable {
    /// Those who have new kits, and where these lie.
    public var kits: [String: FilePath] = [:]
    /// Those whose kits are as before.
    public var unchanged: [String] = []
    /// Those who are in the project with another role, organisation, address or port than before, and where the files lie that
    /// take the place of theirs.
    public var changed: [String: Change] = [:]
    /// Those who were in the project, have certificates, and are in it no longer.
    public var absent: [String] = []
    /// Those who are not in the project because they came by a request that was approved.
    public var requested: [String] = []

    /// A participant that is something else than before.
    public struct Change: Sendable, Hashable {
      /// What is to be copied over the participant's kit, whose keys and settings stay.
      public var files: FilePath
      /// What is different, in words.
      public var what: String
      /// Whether the certificates of before are revoked: they say what is true no longer of a person, or of whose a site is.
      public var isRevoked: Bool
    }
  }

  /// Opens the folder of a federation that was provisioned before.
  public init(contentsOf folder: FilePath) throws {
    self.folder = folder
    let files = folder.appending("authority")
    guard KitFile.exists(files.appending("root.crt")) else {
      throw ProvisioningError(code: .cannotRead, message: "\(folder) holds no authority")
    }
    authority = try CertificateAuthority(contentsOf: files)
    participants = try SignedDocument.read(
      ParticipantList.self,
      as: .participants,
      signedBy: authority.certificate,
      from: files.appending("participants.json")
    )
    revocations = try SignedDocument.read(
      RevocationList.self,
      as: .revocations,
      signedBy: authority.certificate,
      from: files.appending("revoked.json")
    )
  }

  private init(new folder: FilePath, for project: String, at now: Date) throws {
    self.folder = folder
    authority = try CertificateAuthority(named: project, at: now)
    participants = ParticipantList(project: project)
    revocations = RevocationList()
    let files = folder.appending("authority")
    try KitFile.makeFolder(files, isSecret: true)
    try saveLists()
    // The root last: without it there is no authority yet, and provisioning begins anew.
    try authority.write(to: files)
  }

  /// Makes a federation's authority and kits, or those that a project has more than before.
  ///
  /// - Parameters:
  ///   - project: Who takes part.
  ///   - folder: Where the authority lies, or shall lie.
  ///   - now: When certificates begin.
  /// - Returns: The authority, and what was done.
  /// Whoever is in the project with another role, organisation, address or port gets a certificate that says so, for the key that
  /// it has. With another role or organisation, the certificates of before are revoked.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/notAllowed`` if the folder is another federation's, or a
  ///   participant is now of another kind, as a site that was a user; with code ``ProvisioningError/Code/revoked`` if it was
  ///   revoked. Nothing was done then.
  public static func provision(
    _ project: Project,
    in folder: FilePath,
    at now: Date = Date()
  ) throws -> (AuthorityFolder, Outcome) {
    let root = folder.appending("authority").appending("root.crt")
    var authority =
      KitFile.exists(root)
      ? try AuthorityFolder(contentsOf: folder)
      : try AuthorityFolder(new: folder, for: project.name, at: now)
    guard authority.participants.project == project.name else {
      throw ProvisioningError(
        code: .notAllowed,
        message: "\(folder) is of the project '\(authority.participants.project)'"
      )
    }
    var outcome = Outcome()
    let changed = try authority.changed(in: project)
    let names = Set(project.participants.map { $0.name.lowercased() })
    for entry in authority.participants.entries
    where !names.contains(entry.participant.name.lowercased())
      && authority.revocations.entry(for: entry.serial) == nil
    {
      if authority.isRequested(entry) {
        outcome.requested.append(entry.participant.name)
      } else {
        outcome.absent.append(entry.participant.name)
      }
    }
    try authority.keep(certificateDays: project.certificateDays)
    var contents: [KitContents] = []
    for participant in project.participants {
      if authority.participants[participant.name] != nil {
        if !changed.contains(participant.name) { outcome.unchanged.append(participant.name) }
        continue
      }
      let keys = ParticipantKeys()
      contents.append(
        try authority.admit(
          participant,
          publicKey: keys.own.publicKey,
          signingKey: keys.publicSigningKey,
          keys: keys,
          days: project.certificateDays,
          at: now
        )
      )
    }
    // First the lists, so that no kit is out that they do not know.
    try authority.saveLists()
    for kit in contents { outcome.kits[kit.participant.name] = try authority.write(kit) }
    if !contents.isEmpty { try authority.refreshKits() }
    for participant in project.participants where changed.contains(participant.name) {
      outcome.changed[participant.name] = try authority.change(
        to: participant,
        days: project.certificateDays,
        at: now
      )
    }
    return (authority, outcome)
  }

  /// Signs a request, and writes a kit without keys: its files belong beside the keys that the requester kept.
  ///
  /// - Parameters:
  ///   - request: What was asked for.
  ///   - days: How long the certificate is good for; as long as the project's file says if `nil`.
  ///   - now: When it begins.
  /// - Returns: Where the kit lies.
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/alreadyThere`` if there is such a participant.
  public mutating func approve(
    _ request: CertificateRequest,
    days: Int? = nil,
    at now: Date = Date()
  ) throws -> FilePath {
    guard participants[request.participant.name] == nil else {
      throw ProvisioningError(
        code: .alreadyThere,
        message: "\(request.participant.name) is a participant already"
      )
    }
    let kit = try admit(
      request.participant,
      publicKey: request.publicKey(),
      signingKey: request.signingKey,
      keys: nil,
      days: days ?? certificateDays,
      at: now
    )
    try saveLists()
    let path = try write(kit)
    try refreshKits()
    return path
  }

  /// Gives a participant a certificate that lasts longer, for the key that it has.
  ///
  /// The old certificate stays good until its own end.
  ///
  /// - Parameters:
  ///   - name: The participant's.
  ///   - days: How long the certificate is good for; as long as the project's file says if `nil`.
  ///   - now: When it begins.
  /// - Returns: A folder with what is to be copied over the participant's kit, whose keys and settings stay.
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/revoked`` if its certificate was revoked, and with code
  ///   ``ProvisioningError/Code/notAllowed`` if there is no such participant.
  public mutating func renew(
    _ name: String,
    days: Int? = nil,
    at now: Date = Date()
  ) throws -> FilePath {
    let participant = participants.entries[try position(of: name)].participant
    return try reissue(participant, days: days ?? certificateDays, at: now)
  }

  /// Gives a participant a certificate that says what it is, for the key that it has.
  ///
  /// - Parameters:
  ///   - participant: What it is from now on.
  ///   - days: How long the certificate is good for.
  ///   - now: When it begins.
  ///   - reason: Why the certificates of before end with it; they stay good if `nil`.
  /// - Returns: A folder with what is to be copied over the participant's kit.
  /// - Throws: ``ProvisioningError``, as ``renew(_:days:at:)`` does.
  mutating func reissue(
    _ participant: Participant,
    days: Int,
    at now: Date,
    revokingFormer reason: String? = nil
  ) throws -> FilePath {
    let position = try position(of: participant.name)
    let kit = kitFolder(of: participant)
    let old = try CertificateFile.read(
      kit.pushing(StartupKit.startup).appending("own.crt")
    )
    guard !isRevoked(participants.entries[position]) else {
      throw ProvisioningError(
        code: .revoked,
        message: "\(participant.name)'s certificate was revoked, and is not renewed"
      )
    }
    guard let key = P256.Signing.PublicKey(old.publicKey) else {
      throw ProvisioningError(code: .malformed, message: "\(kit) has a certificate of another kind")
    }
    let certificate = try authority.issue(for: participant, publicKey: key, days: days, at: now)
    participants.number += 1
    let entry = participants.entries[position]
    let former = (entry.earlierSerials ?? []) + [entry.serial]
    if let reason { note(former, of: participant.name, asRevokedBecause: reason, at: now) }
    participants.entries[position].earlierSerials = former
    participants.entries[position].serial = certificate.serial
    participants.entries[position].participant = participant
    try saveLists()
    let contents = KitContents(
      project: participants.project,
      participant: participant,
      root: authority.certificate,
      certificate: certificate
    )
    _ = try write(contents)
    let update = folder.appending("renewed").appending(participant.name)
    try contents.write(to: update, by: self, isUpdate: true)
    try refreshKits()
    return update
  }

  /// Ends a participant's certificate, as of now.
  ///
  /// Servers that have the new list refuse it at the next connection.
  ///
  /// - Throws: ``ProvisioningError`` with code ``ProvisioningError/Code/alreadyThere`` if it is revoked.
  public mutating func revoke(
    _ name: String,
    because reason: String,
    at now: Date = Date()
  ) throws {
    let entry = participants.entries[try position(of: name)]
    let name = entry.participant.name
    guard !isRevoked(entry) else {
      throw ProvisioningError(code: .alreadyThere, message: "\(name)'s certificate is revoked")
    }
    // Those before a renewal are for the same key, and good until their own end.
    let serials = [entry.serial] + (entry.earlierSerials ?? [])
    note(serials, of: name, asRevokedBecause: reason, at: now)
    try saveLists()
    try refreshKits()
  }

  /// Ends certificates, in memory.
  private mutating func note(
    _ serials: [String],
    of name: String,
    asRevokedBecause reason: String,
    at now: Date
  ) {
    revocations.number += 1
    for serial in Set(serials).sorted() {
      // Of a change that was interrupted; what is said now counts.
      if let known = revocations.entries.firstIndex(where: { $0.serial == serial }) {
        revocations.entries[known].reason = reason
        continue
      }
      revocations.entries.append(
        RevocationList.Entry(
          serial: serial,
          name: name,
          date: now.ISO8601Format(),
          reason: reason
        )
      )
    }
  }

  /// Where a participant's kit lies.
  public func kitFolder(of participant: Participant) -> FilePath {
    folder.appending("kits").appending(participant.name)
  }

  /// Writes the signed lists into a folder.
  func writeLists(to folder: FilePath) throws {
    let key = authority.key
    // What is revoked first: whoever is interrupted between the two has taken a right away, and not left one.
    try SignedDocument.write(
      revocations,
      as: .revocations,
      signedBy: key,
      to: folder.appending("revoked.json")
    )
    try SignedDocument.write(
      participants,
      as: .participants,
      signedBy: key,
      to: folder.appending("participants.json")
    )
  }

  private func saveLists() throws { try writeLists(to: files) }

  /// Brings the lists in all kits up to date.
  private func refreshKits() throws {
    for entry in participants.entries {
      let startup = kitFolder(of: entry.participant).pushing(StartupKit.startup)
      if KitFile.exists(startup) { try writeLists(to: startup) }
    }
  }

  private func position(of name: String) throws -> Int {
    guard
      let position = participants.entries.firstIndex(where: {
        $0.participant.name.lowercased() == name.lowercased()
      })
    else {
      throw ProvisioningError(code: .notAllowed, message: "there is no participant '\(name)'")
    }
    return position
  }

  private mutating func admit(
    _ participant: Participant,
    publicKey: P256.Signing.PublicKey,
    signingKey: String,
    keys: ParticipantKeys?,
    days: Int,
    at now: Date
  ) throws -> KitContents {
    let certificate = try authority.issue(
      for: participant,
      publicKey: publicKey,
      days: days,
      at: now
    )
    participants.number += 1
    var entry = ParticipantList.Entry(
      participant: participant,
      serial: certificate.serial,
      signingKey: signingKey
    )
    entry.isRequested = keys == nil
    participants.entries.append(entry)
    return KitContents(
      project: participants.project,
      participant: participant,
      root: authority.certificate,
      certificate: certificate,
      keys: keys
    )
  }

  private func write(_ kit: KitContents) throws -> FilePath {
    let path = kitFolder(of: kit.participant)
    try kit.write(to: path, by: self)
    return path
  }
}
