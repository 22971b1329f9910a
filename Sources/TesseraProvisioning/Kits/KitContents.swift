internal import Foundation
internal import SystemPackage
internal import X509

/// What a new kit holds, before it is written.
struct KitContents {
  var project: String
  var participant: Participant
  var root: Certificate
  var certificate: Certificate
  /// The key of the certificate and the signing key; `nil` if the participant made them itself.
  var keys: ParticipantKeys?

  /// Writes the kit, whose signed files replace those of an earlier one; what the participant has in `local/` stays.
  ///
  /// - Parameters:
  ///   - folder: Where to.
  ///   - authority: Whose lists it has.
  ///   - isUpdate: Whether to write only what takes the place of files in a kit that is in use: no settings of the participant's own.
  /// - Throws: ``ProvisioningError`` if a file cannot be written.
  func write(to folder: FilePath, by authority: AuthorityFolder, isUpdate: Bool = false) throws {
    let startup = folder.pushing(StartupKit.startup)
    let local = folder.pushing(StartupKit.local)
    try KitFile.makeFolder(startup, isSecret: true)
    if !isUpdate { try KitFile.makeFolder(local) }
    try keys?.write(to: startup)
    try CertificateFile.write(root, to: startup.appending("root.crt"))
    try CertificateFile.write(certificate, to: startup.appending("own.crt"))
    try KitFile.write(
      KitTemplates.startScript(for: participant),
      to: startup.appending("start.sh"),
      isExecutable: true
    )
    var fixed = ["startup/root.crt", "startup/own.crt", "startup/start.sh"]
    if participant.kind != .user {
      let unit = "tessera-\(participant.kind.rawValue).service"
      try KitFile.write(
        KitTemplates.unit(for: participant, in: project),
        to: startup.appending(unit)
      )
      fixed.append("startup/\(unit)")
    }
    try KitFile.write(
      KitTemplates.readme(for: participant, in: project),
      to: folder.appending("README.md")
    )
    for (name, text) in isUpdate ? [] : KitTemplates.localFiles(for: participant) {
      // A participant's own settings are not ours to change.
      let path = local.appending(name)
      if !KitFile.exists(path) { try KitFile.write(text, to: path) }
    }
    try authority.writeLists(to: startup)
    var files: [String: String] = [:]
    for name in fixed { files[name] = KitManifest.digest(try KitFile.text(folder.appending(name))) }
    try SignedDocument.write(
      KitManifest(project: project, participant: participant, files: files),
      as: .manifest,
      signedBy: authority.authority.key,
      to: folder.appending(StartupKit.manifest)
    )
  }
}
