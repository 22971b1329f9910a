import Foundation
import SwiftASN1
import SystemPackage
import TesseraProvisioning
import Testing
import X509

@Suite struct ProvisioningTests {
  let folder = TemporaryFolder()
  private var kits: FilePath { folder.path.appending("kits") }

  private func provision(sites: [String] = ["north", "south"]) throws -> AuthorityFolder {
    try AuthorityFolder.provision(Chest.project(sites: sites), in: folder.path).0
  }

  @Test func eachParticipantGetsAKitThatSaysWhoItIs() throws {
    let (_, outcome) = try AuthorityFolder.provision(Chest.project(), in: folder.path)
    #expect(outcome.kits.keys.sorted() == ["ada@hub", "bo@north", "north", "server", "south"])
    for name in outcome.kits.keys {
      let kit = try StartupKit(contentsOf: kits.appending(name))
      #expect(kit.participant.name == name)
      #expect(kit.project == "chest")
      #expect(kit.participants.entries.count == 5)
      let certified = try CertifiedParticipant(kit.certificate, root: kit.root, at: Date())
      #expect(certified.name == name)
      #expect(certified.kind == kit.participant.kind)
      #expect(certified.organisation == kit.participant.organisation)
      #expect(certified.role == kit.participant.role)
    }
  }

  @Test func keysAreForTheirOwnersAlone() throws {
    _ = try provision()
    for name in ["north/startup/own.key", "server/startup/signing.key"] {
      #expect(try permissions(of: kits.pushing(FilePath(name))) == 0o600)
    }
    #expect(try permissions(of: folder.path.pushing("authority/root.key")) == 0o600)
    #expect(try permissions(of: folder.path.appending("authority")) == 0o700)
    #expect(try permissions(of: kits.pushing("north/startup/start.sh")) == 0o755)
  }

  @Test func provisioningAgainAddsAndKeeps() throws {
    _ = try provision()
    let own = kits.pushing("north/startup/own.crt").string
    let before = try Data(contentsOf: URL(filePath: own))
    try "mine".write(
      toFile: kits.pushing("north/local/policy.yml").string,
      atomically: true,
      encoding: .utf8
    )
    let project = try Chest.project(sites: ["north", "east"])
    let (_, outcome) = try AuthorityFolder.provision(project, in: folder.path)
    #expect(outcome.kits.keys.sorted() == ["east"])
    #expect(outcome.unchanged == ["server", "north", "ada@hub", "bo@north"])
    #expect(outcome.absent == ["south"])
    #expect(try Data(contentsOf: URL(filePath: own)) == before)
    let kit = try StartupKit(contentsOf: kits.appending("north"))
    #expect(kit.participants["EAST"]?.participant.name == "east")
    let policy = try String(
      contentsOfFile: kits.pushing("north/local/policy.yml").string,
      encoding: .utf8
    )
    #expect(policy == "mine")
  }

  @Test func anotherProjectOrAnotherKindUnderTheSameNameIsRefused() throws {
    _ = try provision()
    var other = try Chest.project()
    other.name = "brain"
    #expect(throws: ProvisioningError.self) {
      try AuthorityFolder.provision(other, in: folder.path)
    }
    var turned = try Chest.project()
    turned.participants[4] = try Participant(name: "bo@north", kind: .site, organisation: "north")
    let error = #expect(throws: ProvisioningError.self) {
      try AuthorityFolder.provision(turned, in: folder.path)
    }
    #expect(error?.message.hasPrefix("bo@north") == true)
  }

  @Test func anotherRoleIsCertifiedForTheSameKeyAndTheOldCertificateRevoked() throws {
    _ = try provision()
    let before = try StartupKit(contentsOf: kits.appending("bo@north"))
    var promoted = try Chest.project()
    promoted.participants[4].role = .projectAdmin
    let (authority, outcome) = try AuthorityFolder.provision(promoted, in: folder.path)
    let change = try #require(outcome.changed["bo@north"])
    #expect(change.what == "role project-admin" && change.isRevoked)
    #expect(outcome.kits.isEmpty && outcome.absent.isEmpty)
    #expect(!outcome.unchanged.contains("bo@north") && outcome.unchanged.count == 4)
    let now = try StartupKit(contentsOf: kits.appending("bo@north"))
    let certified = try CertifiedParticipant(now.certificate, root: now.root, at: Date())
    #expect(certified.role == .projectAdmin)
    #expect(now.certificate.publicKey == before.certificate.publicKey)
    #expect(try now.signingKey() == before.signingKey())
    #expect(now.participants["bo@north"]?.participant.role == .projectAdmin)
    let old = try #require(before.participants["bo@north"]?.serial)
    #expect(authority.revocations.entry(for: old) != nil)
    #expect(authority.revocations.entry(for: certified.serial) == nil)
    // Everybody's kit knows, and what is to be copied has neither keys nor settings.
    #expect(try StartupKit(contentsOf: kits.appending("north")).revocations.entry(for: old) != nil)
    #expect(
      !FileManager.default.fileExists(atPath: change.files.appending("startup/own.key").string)
    )
    // Once more changes nothing.
    let (again, nothing) = try AuthorityFolder.provision(promoted, in: folder.path)
    #expect(nothing.changed.isEmpty && nothing.unchanged.count == 5)
    #expect(again.revocations.entries.count == authority.revocations.entries.count)
  }

  @Test func aServerThatMovesKeepsItsOldCertificateUntilItHasTheNew() throws {
    _ = try provision()
    var moved = try Chest.project()
    moved.participants[0].addresses = ["fl2.example.org"]
    moved.participants[0].port = 7444
    let (authority, outcome) = try AuthorityFolder.provision(moved, in: folder.path)
    let change = try #require(outcome.changed["server"])
    #expect(change.what == "address fl2.example.org, port 7444" && !change.isRevoked)
    #expect(authority.revocations.entries.isEmpty)
    let site = try StartupKit(contentsOf: kits.appending("north"))
    #expect(site.participants.servers.map(\.addresses) == [["fl2.example.org"]])
    #expect(site.participants.servers.map(\.port) == [7444])
    #expect(try StartupKit(contentsOf: kits.appending("server")).participant.port == 7444)
  }

  @Test func aRightIsTakenAwayBeforeAnythingElseIsWritten() throws {
    var authority = try provision()
    // Where the program would be ended: nothing can be written beside the participants any more.
    let signature = authority.folder.pushing("authority/participants.json.sig").string
    let kept = try Data(contentsOf: URL(filePath: signature))
    try FileManager.default.removeItem(atPath: signature)
    try FileManager.default.createDirectory(
      atPath: signature + "/in-the-way",
      withIntermediateDirectories: true
    )
    #expect(throws: (any Error).self) { try authority.revoke("bo@north", because: "left") }
    try FileManager.default.removeItem(atPath: signature)
    try kept.write(to: URL(filePath: signature))
    let found = try AuthorityFolder(contentsOf: folder.path)
    #expect(found.revocations.entries.map(\.name) == ["bo@north"])
  }

  @Test(arguments: [true, false])
  func aChangeThatWasInterruptedIsMadeAgain(isStillWanted: Bool) throws {
    let before = try provision()
    let list = before.folder.pushing("authority/participants.json").string
    let files = [list, list + ".sig"]
    let old = try files.map { try Data(contentsOf: URL(filePath: $0)) }
    let serial = try #require(before.participants["bo@north"]?.serial)
    var promoted = try Chest.project()
    promoted.participants[4].role = .projectAdmin
    _ = try AuthorityFolder.provision(promoted, in: folder.path)
    // As if the program had been ended before it wrote the participants.
    for (file, data) in zip(files, old) { try data.write(to: URL(filePath: file)) }
    let wanted = isStillWanted ? promoted : try Chest.project()
    let (authority, outcome) = try AuthorityFolder.provision(wanted, in: folder.path)
    #expect(outcome.changed["bo@north"]?.isRevoked == true)
    let entry = try #require(authority.participants["bo@north"])
    #expect(entry.participant.role == wanted.participants[4].role)
    #expect(authority.revocations.entry(for: serial) != nil)
    #expect(authority.revocations.entry(for: entry.serial) == nil)
    #expect(try AuthorityFolder.provision(wanted, in: folder.path).1.changed.isEmpty)
    // Whoever is revoked for good stays so.
    var last = authority
    try last.revoke("bo@north", because: "left")
    #expect(throws: ProvisioningError.self) { try last.renew("bo@north") }
  }

  /// Between the signature and the document: in a process of its own, as the limit on files holds for all of a process.
  @Test func aListIsSignedWhereverItsWritingStops() async throws {
    var authority = try provision()
    try authority.revoke("south", because: "left")
    let place = folder.path.string
    await #expect(processExitsWith: .success) { [place = place as String] in
      signal(SIGXFSZ, SIG_IGN)
      var authority = try AuthorityFolder(contentsOf: FilePath(place))
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
      limit.rlim_cur = 3000
      #expect(setrlimit(__rlimit_resource_t(1), &limit) == 0)
      // The signature of so long a list has room, and the list itself has none.
      let reason = String(repeating: "left ", count: 1000)
      #expect(throws: ProvisioningError.self) { try authority.revoke("bo@north", because: reason) }
    }
    let files = try ["", ".sig"].map {
      try Data(contentsOf: URL(filePath: "\(place)/authority/revoked.json\($0)"))
    }
    var found = try AuthorityFolder(contentsOf: folder.path)
    #expect(found.revocations.entries.map(\.name) == ["south"])
    try found.revoke("bo@north", because: "left")
    let last = try AuthorityFolder(contentsOf: folder.path)
    #expect(last.revocations.entries.map(\.name) == ["south", "bo@north"])
    // The one before is still signed; whatever else stands in its place is not.
    let list = "\(place)/authority/revoked.json"
    try files[0].write(to: URL(filePath: list))
    #expect(try AuthorityFolder(contentsOf: folder.path).revocations.entries.count == 1)
    try (files[0] + Data(" ".utf8)).write(to: URL(filePath: list))
    let error = #expect(throws: ProvisioningError.self) {
      try AuthorityFolder(contentsOf: folder.path)
    }
    #expect(error?.code == .altered)
    #expect(files[1].split(separator: UInt8(ascii: "\n")).count == 2)
  }

  @Test func whoWasRevokedIsNotCertifiedAnew() throws {
    var authority = try provision()
    try authority.revoke("bo@north", because: "left")
    var promoted = try Chest.project()
    promoted.participants[4].role = .projectAdmin
    let error = #expect(throws: ProvisioningError.self) {
      try AuthorityFolder.provision(promoted, in: folder.path)
    }
    #expect(error?.code == .revoked)
  }

  @Test func whoCameByARequestIsNotMissedAndHasTheProjectsDays() throws {
    var project = try Chest.project()
    project.certificateDays = 30
    var authority = try AuthorityFolder.provision(project, in: folder.path).0
    let west = try Participant(name: "west", kind: .site, organisation: "west-hospital")
    let file = try CertificateRequest.make(for: west, in: folder.path.appending("west"))
    let kit = try authority.approve(CertificateRequest(contentsOf: file))
    func days(of certificate: Certificate) -> Double {
      certificate.notValidAfter.timeIntervalSinceNow / 86_400
    }
    let certificate = try Certificate(
      pemEncoded: String(
        contentsOfFile: kit.appending("startup/own.crt").string,
        encoding: .utf8
      )
    )
    #expect((29...30.1).contains(days(of: certificate)))
    let outcome = try AuthorityFolder.provision(project, in: folder.path).1
    #expect(outcome.absent.isEmpty && outcome.requested == ["west"])
    var opened = try AuthorityFolder(contentsOf: folder.path)
    #expect(opened.certificateDays == 30)
    _ = try opened.renew("north")
    let renewed = try StartupKit(contentsOf: kits.appending("north"))
    #expect((29...30.1).contains(days(of: renewed.certificate)))
    _ = try opened.renew("north", days: 90)
    #expect(try days(of: StartupKit(contentsOf: kits.appending("north")).certificate) > 89)
  }

  @Test(arguments: [
    "startup/own.crt", "startup/root.crt", "startup/start.sh", "startup/tessera-site.service",
    "manifest.json", "manifest.json.sig", "startup/participants.json", "startup/revoked.json",
  ])
  func aKitWithAChangedFileIsRefusedByItsName(name: String) throws {
    _ = try provision()
    let file = kits.appending("north").pushing(FilePath(name)).string
    let original = try Data(contentsOf: URL(filePath: file))
    // A letter more, a letter less, and nothing.
    for altered in [original + Data("#".utf8), original.dropLast(2), Data()] {
      try altered.write(to: URL(filePath: file))
      let error = #expect(throws: ProvisioningError.self) {
        try StartupKit(contentsOf: kits.appending("north"))
      }
      let shown = name.hasSuffix(".sig") ? String(name.dropLast(4)) : name
      #expect(error?.message.contains(FilePath(shown).lastComponent?.string ?? "") == true)
    }
    try FileManager.default.removeItem(atPath: file)
    #expect(throws: ProvisioningError.self) { try StartupKit(contentsOf: kits.appending("north")) }
    try original.write(to: URL(filePath: file))
    _ = try StartupKit(contentsOf: kits.appending("north"))
  }

  @Test func aKitWithAFileMoreIsRefused() throws {
    _ = try provision()
    let extra = kits.pushing("north/startup/extra.sh")
    try "echo".write(toFile: extra.string, atomically: true, encoding: .utf8)
    let error = #expect(throws: ProvisioningError.self) {
      try StartupKit(contentsOf: kits.appending("north"))
    }
    #expect(error?.code == .altered)
    #expect(error?.message.contains("extra.sh was added") == true)
  }

  @Test func aKitWithTheKeysOrTheCertificateOfAnotherIsRefused() throws {
    _ = try provision()
    func copy(_ name: String) throws {
      let target = kits.pushing(FilePath("north/startup/\(name)")).string
      try FileManager.default.removeItem(atPath: target)
      try FileManager.default.copyItem(
        atPath: kits.pushing(FilePath("south/startup/\(name)")).string,
        toPath: target
      )
    }
    try copy("own.key")
    let error = #expect(throws: ProvisioningError.self) {
      try StartupKit(contentsOf: kits.appending("north"))
    }
    #expect(error?.code == .untrusted)
  }

  @Test func certificatesOfAnotherAuthorityAreUntrusted() throws {
    let authority = try provision()
    let elsewhere = TemporaryFolder()
    _ = try AuthorityFolder.provision(Chest.project(), in: elsewhere.path)
    let foreign = try StartupKit(contentsOf: elsewhere.path.pushing("kits/north"))
    let own = try StartupKit(contentsOf: authority.folder.pushing("kits/north"))
    let error = #expect(throws: ProvisioningError.self) {
      try CertifiedParticipant(foreign.certificate, root: own.root, at: Date())
    }
    #expect(error?.code == .untrusted)
  }

  @Test func certificatesAreGoodForTheirTimeAlone() throws {
    let authority = try provision()
    let kit = try StartupKit(contentsOf: authority.folder.pushing("kits/north"))
    for (days, isGood) in [(-1, false), (0, true), (729, true), (731, false)] {
      let now = Date() + Double(days) * 86_400
      let certified = Result { try CertifiedParticipant(kit.certificate, root: kit.root, at: now) }
      switch certified {
      case .success: #expect(isGood)
      case .failure(let error):
        #expect(!isGood)
        #expect((error as? ProvisioningError)?.code == .expired)
      }
    }
  }

  @Test func aRevokedCertificateIsRefusedWithTheReason() throws {
    var authority = try provision()
    let kit = try StartupKit(contentsOf: authority.folder.pushing("kits/north"))
    try authority.revoke("North", because: "laptop stolen")
    let error = #expect(throws: ProvisioningError.self) {
      try CertifiedParticipant(
        kit.certificate,
        root: kit.root,
        at: Date(),
        revocations: authority.revocations
      )
    }
    #expect(error?.code == .revoked)
    #expect(error?.message.contains("laptop stolen") == true)
    #expect(throws: ProvisioningError.self) { try StartupKit(contentsOf: kits.appending("north")) }
    // The others' kits have the new list.
    let server = try StartupKit(contentsOf: kits.appending("server"))
    #expect(server.revocations.entries.map(\.name) == ["north"])
    #expect(server.revocations.number == 1)
    #expect(throws: ProvisioningError.self) { try authority.revoke("north", because: "again") }
    #expect(throws: ProvisioningError.self) { try authority.renew("north") }
    #expect(throws: ProvisioningError.self) { try authority.revoke("west", because: "unknown") }
  }

  @Test func renewalKeepsTheKeyAndEndsLater() throws {
    var authority = try provision()
    let old = try StartupKit(contentsOf: kits.appending("north"))
    let update = try authority.renew("north", days: 1000)
    let new = try StartupKit(contentsOf: kits.appending("north"))
    #expect(new.certificate.publicKey == old.certificate.publicKey)
    #expect(new.certificate.notValidAfter > old.certificate.notValidAfter)
    #expect(new.certificate.serialNumber != old.certificate.serialNumber)
    #expect(new.participants.number == old.participants.number + 1)
    // What is copied over a kit that is in use holds neither keys nor settings.
    let names = FileManager.default.enumerator(atPath: update.string)?.compactMap { $0 as? String }
    #expect(names?.contains("startup/own.crt") == true && names?.contains("manifest.json") == true)
    #expect(names?.contains { $0.hasPrefix("local") || $0.hasSuffix(".key") } == false)
    // Revoked are all certificates for the key.
    try authority.revoke("north", because: "laptop stolen")
    for certificate in [old.certificate, new.certificate] {
      let error = #expect(throws: ProvisioningError.self) {
        try CertifiedParticipant(
          certificate,
          root: old.root,
          at: Date(),
          revocations: authority.revocations
        )
      }
      #expect(error?.code == .revoked)
    }
  }

  @Test func aRequestIsApprovedWithoutTheKeysLeavingTheSite() throws {
    var authority = try provision()
    let site = TemporaryFolder()
    let east = try Participant(name: "east", kind: .site, organisation: "east hospital")
    let file = try CertificateRequest.make(for: east, in: site.path)
    let request = try CertificateRequest(contentsOf: file)
    #expect(request.fingerprint.count == 39)
    let kit = try authority.approve(request)
    #expect(!FileManager.default.fileExists(atPath: kit.pushing("startup/own.key").string))
    // What the authority made is put beside the keys.
    for name in try FileManager.default.subpathsOfDirectory(atPath: kit.string) {
      let target = site.path.pushing(FilePath(name)).string
      if !FileManager.default.fileExists(atPath: target) {
        try FileManager.default.copyItem(atPath: kit.pushing(FilePath(name)).string, toPath: target)
      }
    }
    let own = try StartupKit(contentsOf: site.path)
    #expect(own.participant == east)
    #expect(throws: ProvisioningError.self) { try authority.approve(request) }
    #expect(throws: ProvisioningError.self) {
      try CertificateRequest.make(for: east, in: site.path)
    }
  }

  @Test func aRequestThatAsksForMoreThanItsKeysSignedIsRefused() throws {
    let site = TemporaryFolder()
    let user = try Participant(name: "eve", kind: .user, organisation: "east", role: .member)
    let file = try CertificateRequest.make(for: user, in: site.path)
    let text = try String(contentsOfFile: file.string, encoding: .utf8)
    for (from, to) in [
      ("\"member\"", "\"project-admin\""), ("\"eve\"", "\"ada\""),
      ("REQUEST-----\\nMI", "REQUEST-----\\nMJ"),
    ] {
      try #require(text.contains(from))
      try text.replacing(from, with: to).write(
        toFile: file.string,
        atomically: true,
        encoding: .utf8
      )
      #expect(throws: ProvisioningError.self) { try CertificateRequest(contentsOf: file) }
    }
  }

  @Test func damagedRequestsAreErrors() throws {
    let site = TemporaryFolder()
    let east = try Participant(name: "east", kind: .site, organisation: "east hospital")
    let file = try CertificateRequest.make(for: east, in: site.path)
    let original = Array(try Data(contentsOf: URL(filePath: file.string)))
    var numbers = Numbers()
    for _ in 0..<300 {
      var bytes = original
      let place = Int.random(in: 0..<bytes.count, using: &numbers)
      switch Int.random(in: 0..<3, using: &numbers) {
      case 0: bytes[place] ^= UInt8(1 << Int.random(in: 0..<8, using: &numbers))
      case 1: bytes.removeSubrange(place...)
      default: bytes.insert(bytes[place], at: place)
      }
      try Data(bytes).write(to: URL(filePath: file.string))
      // Either it still says the same, or it is refused; nothing else can happen.
      if let request = try? CertificateRequest(contentsOf: file) {
        #expect(request.participant == east)
      }
    }
  }

  /// The same numbers each time (Marsaglia, "Xorshift RNGs", 2003).
  private struct Numbers: RandomNumberGenerator {
    var state: UInt64 = 88_172_645_463_325_252
    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
  }
}
