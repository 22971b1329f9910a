import Foundation
import Logging
import Synchronization
import SystemPackage
import TesseraCore
import TesseraFederation
import TesseraProvisioning
import TesseraTesting
import Testing

@testable import TesseraDeployment

/// What a site takes from its server, and what it does not, whatever the server says.
@Suite struct SiteJobsTests {
  private let folder: TemporaryFolder
  private let kits: Kits
  private let jobs: SiteJobs
  private let own = Site(index: 0, name: "north", exampleCount: 1)

  init() throws {
    folder = try TemporaryFolder()
    kits = try Kits(in: folder.path)
    let table = try folder.file("ages.csv", Array("age\n40\n50\n".utf8))
    let data = folder.path.appending("federation/kits/north/local/data.yml")
    try "tables: {ages: \(table)}\n".write(
      toFile: data.string,
      atomically: true,
      encoding: .utf8
    )
    jobs = try SiteJobs(kits.kit("north"))
  }

  private func bundle(_ more: String = "", gpus: Int = 0) throws -> JobBundle {
    let place = folder.path.appending("job\(more.count)-\(gpus)")
    try FileManager.default.createDirectory(
      atPath: place.string,
      withIntermediateDirectories: true
    )
    try """
    name: ages
    workflow: {type: statistics}
    executor: {type: statistics}
    deployment: {dataset: ages, gpus: \(gpus)}
    \(more)
    """.write(toFile: place.appending("job.yml").string, atomically: true, encoding: .utf8)
    return try JobBundle(of: place, name: "ages", signedWith: kits.kit("ada"))
  }

  private func answer(
    _ name: TaskName,
    step: Int,
    _ data: Exchange,
    of job: String,
    to site: Site? = nil
  ) async throws -> Exchange {
    let task = SiteTask(
      step: step,
      name: name,
      round: 1,
      site: site ?? own,
      data: data,
      key: RandomKey(seed: 1)
    )
    return try await jobs.answer(task, of: job) {}
  }

  private func deploy(_ bundle: JobBundle, as id: String) async throws -> SiteOffer {
    let offer = try await answer(.deploy, step: -1, bundle.exchange(), of: id)
    return try JSONText.value(SiteOffer.self, of: offer.headers["offer"] ?? "")
  }

  private func refusal(_ body: () async throws -> Void) async -> String {
    do { try await body() } catch { return (error as? FederationError)?.message ?? "\(error)" }
    return ""
  }

  @Test func aJobIsTakenOnceUnderOneId() async throws {
    let bundle = try bundle()
    let offer = try await deploy(bundle, as: "ages-1")
    // A server that was killed sends it again.
    #expect(try await deploy(bundle, as: "ages-1") == offer)
    let again = await refusal { _ = try await deploy(bundle, as: "ages-2") }
    #expect(again.contains("was done here as ages-1"))
    let other = try self.bundle("# another\n")
    let second = await refusal { _ = try await deploy(other, as: "ages-1") }
    #expect(second.contains("another job is known as ages-1"))
  }

  /// A site with one GPU, which a job has that is over, and whose programs have not ended: ``end`` ends them.
  private func busySite() async throws -> (site: SiteJobs, end: @Sendable () async -> Void) {
    let data = folder.path.appending("federation/kits/north/local/data.yml").string
    let text = try String(contentsOfFile: data, encoding: .utf8)
    try "\(text)resources: {gpus: [0]}\n".write(toFile: data, atomically: true, encoding: .utf8)
    let site = try SiteJobs(kits.kit("north"), in: folder.path.appending("busy"))
    _ = try await site.answer(deployment(bundle(gpus: 1)), of: "ages-1") {}
    let ending = Mutex(await site.forget("ages-1", isAborted: false))
    return (
      site,
      {
        let end = ending.withLock { ending in
          defer { ending = nil }
          return ending
        }
        await end?()
      }
    )
  }

  private func deployment(_ bundle: JobBundle) throws -> SiteTask {
    SiteTask(
      step: -1,
      name: .deploy,
      round: 1,
      site: own,
      data: try bundle.exchange(),
      key: RandomKey(seed: 1)
    )
  }

  /// A server gives up a site that says nothing while a job is prepared.
  @Test(.timeLimit(.minutes(20))) func aSiteThatWaitsForGPUsSaysSo() async throws {
    let (site, end) = try await busySite()
    let task = try deployment(bundle("# another\n", gpus: 1))
    let (signs, sign) = AsyncStream<Void>.makeStream()
    let waiting = Task { try await site.answer(task, of: "ages-2") { sign.finish() } }
    for await _ in signs {}
    await end()
    #expect(try await waiting.value.headers["offer"] != nil)
  }

  /// A job that pauses is withdrawn, and comes again under the same name while the first still waits.
  @Test(.timeLimit(.minutes(20)))
  func aDeploymentThatIsWithdrawnLeavesItsRepetitionAlone() async throws {
    let (site, end) = try await busySite()
    let task = try deployment(bundle("# another\n", gpus: 1))
    func begin() async -> Task<Exchange, any Error> {
      let (signs, sign) = AsyncStream<Void>.makeStream()
      let waiting = Task { try await site.answer(task, of: "ages-2") { sign.finish() } }
      for await _ in signs {}
      return waiting
    }
    let (first, second) = (await begin(), await begin())
    first.cancel()
    await #expect(throws: CancellationError.self) { try await first.value }
    #expect(site.jobs == ["ages-2"])
    await end()
    #expect(try await second.value.headers["offer"] != nil)
    #expect(site.jobs == ["ages-2"])
  }

  @Test func aSiteThatWasStartedAgainKnowsWhatItHasTaken() async throws {
    let bundle = try bundle()
    let task = SiteTask(
      step: -1,
      name: .deploy,
      round: 1,
      site: Site(index: 0, name: "south", exampleCount: 1),
      data: try bundle.exchange(),
      key: RandomKey(seed: 1)
    )
    var south: SiteJobs? = try SiteJobs(kits.kit("south"))
    let first = await refusal { _ = try await south?.answer(task, of: "ages-1") {} }
    #expect(first.contains("ages"), "it has no data of that name")
    south = nil
    let later = try SiteJobs(kits.kit("south"))
    let refused = await refusal { _ = try await later.answer(task, of: "ages-3") {} }
    #expect(refused.contains("was done here as ages-1"))
  }

  @Test func tasksForOtherSitesAreRefused() async throws {
    let offer = try await deploy(bundle(), as: "ages-1")
    let roster = JobRoster(members: [
      .init(name: "north", offer: offer), .init(name: "south", offer: offer),
    ])
    let data = Exchange(.custom("roster"), headers: ["roster": try JSONText.of(roster)])
    _ = try await answer(.begin, step: 0, data, of: "ages-1")
    let examples = roster.sites[0].exampleCount
    for site in [
      Site(index: 0, name: "north-2", exampleCount: examples),
      Site(index: 1, name: "north", exampleCount: examples), roster.sites[1],
      Site(index: 0, name: "north", exampleCount: examples + 1),
      Site(index: 7, name: "north", exampleCount: examples),
    ] {
      let refused = await refusal {
        _ = try await answer(.statistics, step: 1, Exchange(.custom("x")), of: "ages-1", to: site)
      }
      #expect(refused.contains("is for another site"), "\(site): \(refused)")
    }
  }

  /// A server that does not stop asking must not fill the site's logs.
  @Test func theSameRefusalIsToldEverMoreRarely() async throws {
    let told = Mutex<[String]>([])
    let site = try SiteJobs(kits.kit("north"), in: folder.path.appending("telling")) { event in
      switch event {
      case .failed(let job, let task, _): told.withLock { $0.append("\(job)/\(task.name)") }
      case .given: told.withLock { $0.append("given") }
      case .refused(let job, _): told.withLock { $0.append("refused \(job)") }
      case .operationRefused: told.withLock { $0.append("operation") }
      default: break
      }
    }
    func ask(_ name: TaskName, step: Int, _ job: String, headers: [String: String] = [:]) async {
      let task = SiteTask(
        step: step,
        name: name,
        round: 1,
        site: own,
        data: Exchange(.custom("x"), headers: headers),
        key: RandomKey(seed: 1)
      )
      _ = await refusal { _ = try await site.answer(task, of: job) {} }
    }
    for _ in 0..<100 { await ask(.statistics, step: 1, "ages-1") }
    #expect(told.withLock { $0 } == Array(repeating: "ages-1/statistics", count: 7))
    // Another number makes no other refusal of it; another task or job does, whatever was told before.
    told.withLock { $0 = [] }
    for step in 2..<12 { await ask(.statistics, step: step, "ages-1") }
    await ask(.train, step: 1, "ages-1")
    await ask(.statistics, step: 1, "ages-2")
    #expect(told.withLock { $0 } == ["ages-1/train", "ages-2/statistics"])
    told.withLock { $0 = [] }
    for step in 0..<100 { await ask(.operate, step: step, "tessera", headers: ["by": "\(step)"]) }
    #expect(told.withLock { $0 }.count == 7)
  }

  @Test func anOperationIsDoneForWhoHasSignedItAndMayHaveItDone() async throws {
    #expect(try await operate(signed(by: "ada")).contains("may not operate north"))
    #expect(try await operate(signed(by: "olaf")) == "")
    #expect(try await operate(signed(.logLevel(.debug), by: "olaf")) == "")
    let elsewhere = try signed(by: "olaf", at: "south")
    #expect(await operate(elsewhere).contains("signed for the site south, and not for north"))
  }

  @Test func theServerCannotMakeAnOperationUp() async throws {
    // As a server could that knows who may operate the site.
    let claimed = [
      "operation": "restart", "by": #"{"name":"olaf","organisation":"North","role":"org-admin"}"#,
    ]
    #expect(await operate(claimed).contains("no operation that somebody has signed"))
    // What ada has signed is not olaf's, and what olaf has signed is what he has signed.
    let byAda = try signed(by: "ada")
    let text = String(decoding: byAda.text, as: UTF8.self)
    for (old, new) in [("ada", "olaf"), ("ada", "nobody"), ("restart", "shutdown")] {
      let forged = [
        "operation": text.replacingOccurrences(of: old, with: new),
        "signature": byAda.signature.base64EncodedString(),
      ]
      let refused = await operate(forged)
      #expect(
        refused.contains(
          new == "nobody" ? "who is no user of the federation" : "does not bear the signature of"
        ),
        "\(refused)"
      )
    }
    let unsigned = ["operation": text]
    #expect(await operate(unsigned).contains("no operation that somebody has signed"))
  }

  @Test func anOperationIsDoneOnceAndSoon() async throws {
    let wanted = try signed(by: "olaf")
    #expect(await operate(wanted) == "")
    #expect(await operate(wanted).contains("was done before"))
    for seconds in [-301.0, 330] {
      let late = try signed(by: "olaf", when: Date().addingTimeInterval(seconds))
      #expect(await operate(late).contains("was signed at"))
    }
  }

  @Test func aSiteThatWasStartedAgainKnowsWhatItHasDone() async throws {
    let place = folder.path.appending("south")
    let wanted = try signed(by: "olaf")
    var first: SiteJobs? = try SiteJobs(kits.kit("north"), in: place)
    #expect(await operate(wanted, first) == "")
    first = nil
    let later = try SiteJobs(kits.kit("north"), in: place)
    #expect(await operate(wanted, later).contains("was done before"))
    #expect(try await operate(signed(by: "olaf"), later) == "")
  }

  @Test func whatIsForgottenIsNotDoneAgainWhenTheClockIsSetBack() throws {
    let taken = try TakenOperations(at: folder.path.appending("taken.json"))
    let now = Date()
    let first = try SignedOperation(.restart, at: "north", signedWith: kits.kit("olaf"), at: now)
    try taken.take(first, at: now)
    let hour = now.addingTimeInterval(3600)
    let second = try SignedOperation(.restart, at: "north", signedWith: kits.kit("olaf"), at: hour)
    try taken.take(second, at: hour)
    #expect(throws: DeploymentError.self) { try taken.take(first, at: now) }
    let text = try String(
      contentsOfFile: folder.path.appending("taken.json").string,
      encoding: .utf8
    )
    #expect(!text.contains(first.digest) && text.contains(second.digest))
  }

  @Test func whoIsRevokedOperatesNothing() async throws {
    let wanted = try signed(by: "olaf")
    var authority = try AuthorityFolder(contentsOf: kits.folder)
    try authority.revoke("olaf", because: "he has left")
    #expect(await operate(wanted).contains("the certificate of olaf was revoked"))
  }

  private func signed(
    _ operation: SiteOperation = .restart,
    by name: String,
    at site: String = "north",
    when now: Date = Date()
  ) throws -> SignedOperation {
    try SignedOperation(operation, at: site, signedWith: kits.kit(name), at: now)
  }

  private func operate(_ signed: SignedOperation, _ site: SiteJobs? = nil) async -> String {
    let headers = [
      "operation": String(decoding: signed.text, as: UTF8.self),
      "signature": signed.signature.base64EncodedString(),
    ]
    return await operate(headers, site)
  }

  private func operate(_ headers: [String: String], _ site: SiteJobs? = nil) async -> String {
    let task = SiteTask(
      step: 3,
      name: .operate,
      round: 0,
      site: own,
      data: Exchange(.custom("operation"), headers: headers),
      key: RandomKey(seed: 0)
    )
    return await refusal { _ = try await (site ?? jobs).answer(task, of: "tessera") {} }
  }
}
