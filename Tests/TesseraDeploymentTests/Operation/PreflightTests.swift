import Foundation
import SystemPackage
import TesseraDeployment
import TesseraProvisioning
import TesseraTesting
import Testing

@Suite struct PreflightTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    _ = try AuthorityFolder.provision(Self.project(address: "localhost", port: 7443), in: authority)
  }

  private static func project(address: String, port: Int) throws -> Project {
    try Project(
      name: "chest",
      certificateDays: 100,
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "hub",
          addresses: [address],
          port: port
        ), Participant(name: "north", kind: .site, organisation: "North"),
        Participant(name: "ada", kind: .user, organisation: "hub", role: .lead),
      ]
    )
  }

  private var authority: FilePath { folder.path.appending("chest") }
  private func kit(_ name: String) -> FilePath {
    authority.appending("kits").appending(name)
  }

  private func report(
    _ name: String,
    at now: Date = Date(),
    contact: ServerContact = .welcomed(
      name: "server",
      expires: .distantFuture,
      clockDifference: nil
    )
  ) async -> Preflight.Report {
    await Preflight(kit: kit(name), at: now) { _, _, _ in contact }.run()
  }

  private func write(_ text: String, to file: FilePath) throws {
    try Data(text.utf8).write(to: URL(filePath: file.string))
  }

  private func codes(_ report: Preflight.Report) -> Set<PreflightFinding.Code> {
    Set(report.findings.map(\.code))
  }

  @Test func aSiteThatHasAllIsGood() async throws {
    let table = try folder.file("patients.csv", Array("age\n1\n".utf8))
    try write(
      "tables: {patients: \(table)}\nimages: {chest: \(folder.path)}\n",
      to: kit("north").appending("local/data.yml")
    )
    let report = await report("north")
    #expect(report.isGood)
    #expect(
      codes(report).isSuperset(of: [
        .kitWhole, .certificateGood, .keysPrivate, .clockGood, .nameResolved, .serverGood,
        .folderWritable, .policyGood, .dataGood,
      ])
    )
    #expect(report.kit?.participant.name == "north")
    #expect(report.findings.count { $0.code == .dataGood } == 2)
    for finding in report.findings where finding.verdict == .good {
      #expect(finding.advice == nil)
    }
  }

  @Test func aUserNeedsNoDiskAndNoPolicy() async throws {
    let report = await report("ada")
    #expect(report.isGood)
    #expect(
      codes(report) == [
        .kitWhole, .certificateGood, .keysPrivate, .clockGood, .nameResolved, .serverGood,
      ]
    )
  }

  @Test func kitsThatAreRefusedSayWhy() async throws {
    #expect(await codes(report("nobody")) == [.kitUnreadable])
    #expect(
      await codes(report("north", at: Date(timeIntervalSinceNow: 101 * 86_400)))
        == [.certificateOutOfTime]
    )
    #expect(
      await codes(report("north", at: Date(timeIntervalSinceNow: -2 * 86_400)))
        == [.certificateOutOfTime, .clockBehind]
    )
    try FileManager.default.removeItem(atPath: kit("north").appending("startup/own.key").string)
    try FileManager.default.copyItem(
      atPath: kit("ada").appending("startup/own.key").string,
      toPath: kit("north").appending("startup/own.key").string
    )
    #expect(await codes(report("north")) == [.kitUntrusted])
    try write("# more", to: kit("server").appending("startup/start.sh"))
    let altered = await report("server")
    #expect(codes(altered) == [.kitAltered])
    #expect(altered.findings[0].message.contains("start.sh was changed"))
    #expect(!altered.isGood && altered.kit == nil)
    var folder = try AuthorityFolder(contentsOf: authority)
    try folder.revoke("ada", because: "laptop stolen")
    let revoked = await report("ada")
    #expect(codes(revoked) == [.certificateRevoked])
    #expect(revoked.findings[0].message.contains("laptop stolen"))
  }

  @Test func certificatesThatEndSoonAreAWarning() async throws {
    let report = await report(
      "north",
      at: Date(timeIntervalSinceNow: 80 * 86_400 + 60),
      contact: .welcomed(
        name: "server",
        expires: Date(timeIntervalSinceNow: 85 * 86_400),
        clockDifference: 60
      )
    )
    #expect(report.findings.count { $0.code == .certificateEndsSoon } == 2)
    #expect(report.findings.contains { $0.message.contains("good for 19 days") })
    #expect(!codes(report).contains(.clockDiffers) && codes(report).contains(.clockApart))
    let late = await self.report("north", at: Date(timeIntervalSinceNow: 90 * 86_400))
    #expect(late.isGood)
  }

  @Test func keysThatOthersReadAreAWarning() async throws {
    chmod(kit("north").appending("startup/signing.key").string, 0o644)
    let report = await report("north")
    let finding = try #require(report.findings.first { $0.code == .keysReadable })
    #expect(finding.verdict == .warning && finding.message.contains("signing.key"))
    #expect(!finding.message.contains("own.key"))
  }

  @Test func clocksAreComparedWithFilesAndServers() async throws {
    let manifest = kit("north").appending("manifest.json").string
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: 7200)],
      ofItemAtPath: manifest
    )
    let behind = await report("north")
    #expect(codes(behind).contains(.clockBehind) && !codes(behind).contains(.clockGood))
    #expect(behind.isGood)
    let differs = await report(
      "ada",
      contact: .welcomed(
        name: "server",
        expires: .distantFuture,
        clockDifference: -3600
      )
    )
    #expect(!differs.isGood)
    let finding = try #require(differs.findings.first { $0.code == .clockDiffers })
    #expect(finding.message.contains("3600.0 s behind server's"))
  }

  @Test(arguments: [
    (0.2, PreflightFinding.Code.clockAgrees), (-4.9, .clockAgrees), (5.1, .clockApart),
    (-299, .clockApart), (301, .clockDiffers), (-86_400, .clockDiffers),
  ])
  func theServersClockIsToldFromThisOne(seconds: Double, code: PreflightFinding.Code) async {
    let report = await report(
      "north",
      contact: .welcomed(name: "server", expires: .distantFuture, clockDifference: seconds)
    )
    let found = report.findings.filter {
      [.clockAgrees, .clockApart, .clockDiffers].contains($0.code)
    }
    #expect(found.map(\.code) == [code])
    #expect(report.isGood == (code != .clockDiffers))
    #expect(found.first?.message.contains(seconds > 0 ? "ahead of server's" : "behind") == true)
  }

  @Test func clocksThatJudgeACertificateDifferentlyAreAFailure() async throws {
    // A few seconds decide: by this clock the server's certificate is good, by the server's it is over.
    let report = await report(
      "north",
      contact: .welcomed(
        name: "server",
        expires: Date(timeIntervalSinceNow: 30),
        clockDifference: -60
      )
    )
    let finding = try #require(report.findings.first { $0.code == .clockDiffers })
    #expect(finding.message.contains("the certificate of server is good, by the other it is not"))
    #expect(!report.isGood)
  }

  @Test func whatBecameOfTheConnectionIsSaid() async throws {
    let contacts: [(ServerContact, PreflightFinding.Code, isGood: Bool)] = [
      (.refused(name: "server", reason: "alert"), .serverRefuses, false),
      (.untrusted(reason: "the certificate was not signed"), .serverUntrusted, false),
      (.withoutTLS(reason: "it says nothing"), .serverWithoutTLS, false),
      (.notListening, .serverNotListening, true),
      (.unreachable(reason: "nobody answers"), .serverUnreachable, false),
      (
        .welcomed(name: "other", expires: .distantFuture, clockDifference: nil), .serverOtherName,
        true
      ),
    ]
    for (contact, code, isGood) in contacts {
      let report = await report("north", contact: contact)
      let finding = try #require(report.findings.first { $0.code == code })
      #expect(finding.message.contains("localhost:7443"))
      #expect(finding.advice != nil)
      #expect(report.isGood == isGood)
    }
  }

  @Test func namesThatLeadNowhereAreNotTried() async throws {
    let other = folder.path.appending("other")
    _ = try AuthorityFolder.provision(
      Self.project(address: "no-such-host.invalid", port: 7443),
      in: other
    )
    let report = await Preflight(kit: other.appending("kits/north")) { _, _, _ in
      Issue.record("a name without an address was tried")
      return .notListening
    }.run()
    #expect(codes(report).contains(.nameUnresolved))
    #expect(!report.isGood)
  }

  @Test func settingsThatAreWrongSayWhere() async throws {
    let local = kit("north").appending("local")
    try write("images: {chest: [1]}\ntabels: {}\n", to: local.appending("data.yml"))
    try write("rights:\n\tx: y\n", to: local.appending("policy.yml"))
    let report = await report("north")
    #expect(!report.isGood)
    #expect(report.findings.count { $0.code == .dataWrong } == 2)
    #expect(report.findings.contains { $0.message.contains("data.yml:2:") })
    #expect(
      report.findings.contains { $0.code == .policyWrong && $0.message.contains("policy.yml:2:") }
    )
  }

  @Test func dataThatAreNotThereAreSaid() async throws {
    let data = kit("north").appending("local/data.yml")
    try write("images: {chest: ../missing}\n", to: data)
    let missing = await report("north")
    let finding = try #require(missing.findings.first { $0.code == .dataUnreadable })
    #expect(finding.message.contains("images chest: \(kit("north"))/missing is not there"))
    try FileManager.default.createDirectory(
      atPath: kit("north").appending("missing").string,
      withIntermediateDirectories: false
    )
    #expect(await codes(report("north")).contains(.dataGood))
    try write("# images: {}\n", to: data)
    #expect(await codes(report("north")).contains(.dataNone))
  }

  @Test func whereProgramsMayRunPythonIsLookedFor() async throws {
    func looks() async -> Bool {
      let codes = await codes(report("north"))
      return codes.contains(.pythonGood) || codes.contains(.pythonMissing)
    }
    #expect(await !looks())
    try write(
      "rights: {lead: {submit: any, run-external: own-organisation}}\n",
      to: kit("north").appending("local/policy.yml")
    )
    #expect(await looks())
  }

  @Test func aServersPortIsTriedAndWhoeverHasItIsAsked() async throws {
    let folder = folder.path
    let (ports, port) = AsyncStream<Int>.makeStream()
    try await withThrowingTaskGroup { group in
      group.addTask {
        let taken = OperationsEndpoint(host: "0.0.0.0", port: 0, name: "x", metrics: .init())
        try await taken.run { port.yield($0) }
      }
      for await port in ports {
        let authority = folder.appending("taken")
        _ = try AuthorityFolder.provision(
          Self.project(address: "localhost", port: port),
          in: authority
        )
        let kit = authority.appending("kits/server")
        let taken = await Preflight(kit: kit) { _, _, _ in .withoutTLS(reason: "x") }.run()
        #expect(codes(taken).contains(.portTaken) && !taken.isGood)
        let own = await Preflight(kit: kit) { _, host, asked in
          #expect(host == "127.0.0.1" && asked == port)
          return .refused(name: "server", reason: "x")
        }.run()
        #expect(codes(own).contains(.portOwn) && own.isGood)
        break
      }
      group.cancelAll()
    }
  }

  @Test func theDatabaseOfTwoServersIsLookedAtAndLeftAsItIs() async throws {
    let server = try TestPostgreSQL.shared.get()
    let address = try server.database()
    func look(_ name: String, _ address: String) async -> Preflight.Report {
      await Preflight(kit: kit(name), database: address) { _, _, _ in
        .unreachable(reason: "x")
      }.run()
    }
    let empty = await look("server", address)
    #expect(codes(empty).contains(.databaseGood))
    #expect(
      try server.psql("SELECT count(*) FROM pg_tables WHERE tablename LIKE 'tessera%'", in: address)
        == "0"
    )
    _ = try PostgreSQLJobStore(at: address, epoch: nil)
    let used = await look("server", address)
    #expect(used.findings.contains { $0.code == .databaseGood && $0.message.contains("version 3") })
    _ = try await ServerLease.acquire(at: address, as: "one", of: "another")
    let other = await look("server", address)
    #expect(
      other.findings.contains { $0.code == .databaseRefused && $0.message.contains("'another'") }
    )
    try server.psql("INSERT INTO tessera_version VALUES (4)", in: address)
    #expect(await codes(look("server", address)).contains(.databaseNewer))
    let closed = try server.database()
    try server.psql("CREATE ROLE guest LOGIN", in: closed)
    let guest = closed.replacingOccurrences(of: "user=tester", with: "user=guest")
    #expect(await codes(look("server", guest)).contains(.databaseRefused))
    let nowhere = await look("server", "postgresql://ada:secret@/nothing?host=/nowhere")
    #expect(codes(nowhere).contains(.databaseUnreachable) && !nowhere.isGood)
    let broken = await look("server", "postgresql://ada:secret@[::1/jobs")
    #expect(codes(broken).contains(.databaseUnreachable))
    #expect(!(nowhere.findings + broken.findings).contains { $0.message.contains("secret") })
    // Of a site, it is nobody's business.
    #expect(await !codes(look("north", "x")).contains(.databaseUnreachable))
  }

  @Test func everyFindingIsOnTheOperatorsPage() throws {
    let page = FilePath(#filePath).removingLastComponent().appending("../../../docs/operators.md")
    let lines = try String(contentsOfFile: page.string, encoding: .utf8).split(separator: "\n")
    for code in PreflightFinding.Code.allCases {
      let line = "| `\(code.rawValue)` | \(code.verdict.mark) |"
      #expect(lines.count { $0.hasPrefix(line) } == 1, "\(line)")
      #expect((code.advice == nil) == (code.verdict == .good), "\(code)")
    }
  }
}
