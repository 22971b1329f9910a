import Foundation
import TesseraDeployment
import TesseraProvisioning
import Testing

/// What a site's file takes away from what the server allows.
@Suite struct RightsOverJobsTests {
  private let north: Participant
  private let job: JobRecord
  private let ada = Person(name: "ada", organisation: "hub", role: .lead)
  private let bob = Person(name: "bob", organisation: "hub", role: .lead)
  private let eve = Person(name: "eve", organisation: "north", role: .lead)

  init() throws {
    north = try Participant(name: "north", kind: .site, organisation: "north")
    job = JobRecord(
      id: "chest-1",
      name: "chest",
      submitter: ada,
      submitted: Date(timeIntervalSince1970: 0),
      requirements: JobRequirements(),
      digest: ""
    )
  }

  private func rights(_ lead: [Right: [PolicyCondition]]) throws -> RightsOverJobs {
    RightsOverJobs(of: SitePolicy(of: north, rights: [.lead: lead]))
  }

  @Test func whatIsNotNamedIsLeftToTheServer() throws {
    let rights = try rights([.submit: [.any], .operate: [PolicyCondition.none]])
    let mia = Person(name: "mia", organisation: "hub", role: .member)
    for right in [Right.view, .clone, .manage, .download] {
      #expect(rights.decide(right, by: bob, on: job, at: north).isAllowed)
      #expect(rights.decide(right, by: mia, on: job, at: north).isAllowed)
    }
    // Those are the site's own business.
    #expect(rights.decide(.operate, by: ada, on: nil, at: north).isAllowed)
  }

  @Test func whatIsNamedMustHold() throws {
    let rights = try rights([
      .view: [.ownOrganisation], .download: [.ownSubmission], .clone: [PolicyCondition.none],
    ])
    #expect(rights.decide(.view, by: bob, on: job, at: north).isAllowed)
    #expect(!rights.decide(.view, by: eve, on: job, at: north).isAllowed)
    // Of the site itself, its own people see more.
    #expect(rights.decide(.view, by: eve, on: nil, at: north).isAllowed)
    #expect(!rights.decide(.view, by: ada, on: nil, at: north).isAllowed)
    #expect(rights.decide(.download, by: ada, on: job, at: north).isAllowed)
    let refused = rights.decide(.download, by: bob, on: job, at: north)
    guard case .refused(let reason) = refused else {
      Issue.record("bob has ada's model")
      return
    }
    #expect(
      reason == """
        bob (lead, hub) may not download job chest-1 from north: the policy of north allows that to a lead for jobs that the \
        person submitted
        """
    )
    #expect(!rights.decide(.clone, by: ada, on: job, at: north).isAllowed)
  }

  @Test func theyAreToldAsThePolicySaysThem() throws {
    let told = try rights([
      .view: [.ownOrganisation, .ownSubmission], .submit: [.any], .clone: [PolicyCondition.none],
    ])
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = try encoder.encode(told)
    #expect(
      String(decoding: text, as: UTF8.self)
        == #"{"lead":{"clone":["none"],"view":["own-organisation","own-submission"]}}"#
    )
    #expect(try JSONDecoder().decode(RightsOverJobs.self, from: text) == told)
  }

  @Test func aConditionOfALaterVersionHoldsForNobody() throws {
    let text =
      #"{"lead":{"view":["on-weekdays"],"fly":["any"],"operate":["none"]},"pilot":{"view":["any"]}}"#
    let told = try JSONDecoder().decode(RightsOverJobs.self, from: Data(text.utf8))
    #expect(!told.decide(.view, by: ada, on: job, at: north).isAllowed)
    #expect(told.decide(.operate, by: ada, on: nil, at: north).isAllowed)
    #expect(told == (try rights([.view: [PolicyCondition.none]])))
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(RightsOverJobs.self, from: Data(#"{"lead":{"view":"any"}}"#.utf8))
    }
  }

  @Test func theServerDoesNotTellThem() throws {
    var job = job
    job.siteRights = try JobStoreLaws.rights()
    let told = String(decoding: try JSONEncoder().encode(job), as: UTF8.self)
    #expect(!told.contains("ights"))
  }
}
