import Foundation
import SystemPackage
import TesseraCore
import TesseraFederation
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

  private func bundle(_ more: String = "") throws -> JobBundle {
    let place = folder.path.appending("job\(more.count)")
    try FileManager.default.createDirectory(
      atPath: place.string,
      withIntermediateDirectories: true
    )
    try """
    name: ages
    workflow: {type: statistics}
    executor: {type: statistics}
    deployment: {dataset: ages}
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

  @Test func whoOperatesASiteIsWhoTheAuthoritySays() async throws {
    func restart(as name: String, _ role: String) async -> String {
      let by = #"{"name":"\#(name)","organisation":"North","role":"\#(role)"}"#
      let headers = ["operation": "restart", "by": by]
      return await refusal {
        _ = try await answer(
          .operate,
          step: 3,
          Exchange(.custom("operation"), headers: headers),
          of: "tessera"
        )
      }
    }
    // Her certificate says that she is a lead of another organisation.
    #expect(await restart(as: "ada", "project-admin").contains("may not operate north"))
    #expect(await restart(as: "nobody", "project-admin").contains("is no user of the federation"))
    #expect(await restart(as: "olaf", "org-admin") == "")
  }
}
