import Foundation
import SystemPackage
import TesseraConfiguration
import TesseraDeployment
import TesseraFederation
import TesseraProvisioning
import TesseraTesting
import Testing

@Suite("A site's policy")
struct SitePolicyTests {
  let folder: TemporaryFolder
  let north: Participant

  init() throws {
    folder = try TemporaryFolder()
    north = try Participant(name: "north", kind: .site, organisation: "North Hospital")
  }

  private func policy(_ text: String) throws -> SitePolicy {
    try SitePolicy(contentsOf: folder.file("policy.yml", Array(text.utf8)), of: north)
  }

  private func problems(_ text: String) -> [String] {
    do { _ = try policy(text) } catch {
      return (error as? ConfigurationError)?.problems.map(\.description) ?? ["\(error)"]
    }
    return []
  }

  private static func person(
    _ name: String,
    _ role: Participant.Role,
    of organisation: String = "Hub"
  ) -> Person {
    Person(name: name, organisation: organisation, role: role)
  }

  private static func job(by submitter: Person) -> JobRecord {
    JobRecord(
      id: "job-1",
      name: "chest",
      submitter: submitter,
      submitted: Date(timeIntervalSince1970: 0),
      requirements: JobRequirements(),
      digest: ""
    )
  }

  @Test("what a new kit's policies allow")
  func template() throws {
    let project = try Project(
      name: "chest",
      participants: [
        Participant(
          name: "server",
          kind: .server,
          organisation: "Hub",
          addresses: ["localhost"],
          port: 7443
        ), north,
      ]
    )
    let (_, made) = try AuthorityFolder.provision(project, in: folder.path.appending("chest"))
    for name in ["server", "north"] {
      let kit = try StartupKit(contentsOf: try #require(made.kits[name]))
      let policy = try SitePolicy(of: kit)
      #expect(policy.owner.name == name)
      #expect(policy.filters.results.isEmpty && policy.filters.tasks.isEmpty)
      #expect(policy.budget == nil)
      let ada = Self.person("ada", .lead)
      let job = Self.job(by: ada)
      #expect(policy.decide(.submit, by: ada) == .allowed)
      // A site leaves to the server what lies there.
      let rights = RightsOverJobs(of: policy)
      for right in [Right.clone, .manage, .download, .view] {
        #expect(policy.decide(right, by: ada, on: job).isAllowed == (name == "server"))
        #expect(name == "server" || rights.decide(right, by: ada, on: job, at: north).isAllowed)
      }
      #expect(!policy.decide(.operate, by: ada).isAllowed)
      #expect(!policy.decide(.manage, by: Self.person("bob", .lead), on: job).isAllowed)
      for role in Participant.Role.allCases {
        #expect(!policy.decide(.runExternal, by: Self.person("eve", role), on: job).isAllowed)
        #expect(policy.decide(.view, by: Self.person("eve", role)).isAllowed == (name == "server"))
      }
      // The organisation's own administrator: of its people's jobs, and of its place.
      let admin = Self.person("carl", .orgAdmin, of: policy.owner.organisation)
      #expect(policy.decide(.operate, by: admin) == .allowed)
      #expect(policy.decide(.manage, by: admin, on: job).isAllowed == (name == "server"))
      let elsewhere = Self.person("dora", .orgAdmin, of: "South Hospital")
      #expect(!policy.decide(.operate, by: elsewhere).isAllowed)
    }
  }

  @Test("what is not named is refused")
  func notNamed() throws {
    let policy = try policy("rights: {lead: {view: any}}")
    for role in Participant.Role.allCases {
      for right in Right.allCases {
        let decision = policy.decide(right, by: Self.person("ada", role))
        #expect(decision.isAllowed == (role == .lead && right == .view))
      }
    }
    let nothing = try self.policy("rights: {}")
    #expect(!nothing.decide(.view, by: Self.person("ada", .projectAdmin)).isAllowed)
  }

  @Test("of several conditions one must hold")
  func conditions() throws {
    let policy = try policy(
      "rights: {lead: {manage: [own-organisation, own-submission], submit: own-organisation}}"
    )
    let job = Self.job(by: Self.person("ada", .lead, of: "South Hospital"))
    func manages(_ name: String, _ organisation: String) -> Bool {
      policy.decide(.manage, by: Self.person(name, .lead, of: organisation), on: job).isAllowed
    }
    #expect(manages("ada", "South Hospital"))
    #expect(manages("bob", "South Hospital"))
    // Someone who has changed employers still has the jobs of before.
    #expect(manages("ada", "North Hospital"))
    #expect(!manages("bob", "North Hospital"))
    #expect(!manages("Ada", "North Hospital"))
    // To submit is to use the site: its own people alone.
    #expect(!policy.decide(.submit, by: job.submitter, on: job).isAllowed)
    let own = Self.person("bob", .lead, of: "North Hospital")
    #expect(policy.decide(.submit, by: own, on: Self.job(by: own)) == .allowed)
  }

  @Test("a refusal says who, what, where, and what would have to hold")
  func refusals() throws {
    let policy = try policy(
      "rights: {member: {download: own-submission, operate: own-organisation}}"
    )
    let bob = Self.person("bob", .member, of: "South Hospital")
    func reason(_ right: Right, _ job: JobRecord? = nil) -> String? {
      guard case .refused(let reason) = policy.decide(right, by: bob, on: job) else { return nil }
      return reason
    }
    #expect(
      reason(.download, Self.job(by: Self.person("ada", .lead))) == """
        bob (member, South Hospital) may not download job job-1 from north: the policy of north allows that \
        to a member for jobs that the person submitted
        """
    )
    #expect(
      reason(.operate) == """
        bob (member, South Hospital) may not operate north: the policy of north allows that to a member of \
        North Hospital
        """
    )
    #expect(
      reason(.submit)?.hasSuffix("the policy of north allows that to no member") == true
    )
    // Without a job there is nobody who submitted it.
    #expect(reason(.download) != nil)
    #expect(throws: DeploymentError.self) { try policy.decide(.submit, by: bob).require() }
    try PolicyDecision.allowed.require()
  }

  @Test(
    "what is wrong is said with its place and the nearest name",
    arguments: [
      ("", "needs the key 'rights'"),
      ("rights: {}\nfilter: []", "policy.yml:2:1: unknown key 'filter'; did you mean 'filters'?"),
      ("rights: {leed: {view: any}}", "unknown key 'leed'; did you mean 'lead'?"),
      ("rights: {lead: {veiw: any}}", "unknown key 'veiw'; did you mean 'view'?"),
      (
        "rights: {lead: {view: own-organization}}",
        "rights.lead.view: cannot be 'own-organization'; did you mean 'own-organisation'?"
      ),
      (
        "rights: {lead: {submit: own-submission}}",
        "rights.lead.submit: 'own-submission' never holds for 'submit'"
      ),
      ("rights: {lead: {view: [own-submission, all]}}", "rights.lead.view[1]: cannot be 'all'"),
      ("rights: {lead: {view: []}}", "rights.lead.view"),
      ("rights: {lead: {view: true}}", "rights.lead.view"),
      ("rights: {lead: {view: [none, any]}}", "'none' cannot stand beside other conditions"),
      ("rights: {}\nfilters: [clip-nrom]", "unknown filter 'clip-nrom'; did you mean 'clip-norm'?"),
      ("rights: {}\nfilters: {result: []}", "unknown key 'result'; did you mean 'results'?"),
      ("rights: {}\nfilters: [{type: clip-norm, norm: -1}]", "filters[0].norm"),
      ("rights: {}\nprivacy: {epsilon: 3}", "privacy: needs the key 'delta'"),
      ("rights: {}\nprivacy: {epsilon: 0, delta: 1e-6}", "privacy.epsilon"),
      ("rights: {}\nsecure_aggregation: {minimum_site: 3}", "did you mean 'minimum_sites'?"),
    ]
  )
  func wrong(text: String, problem: String) {
    let problems = problems(text)
    #expect(problems.contains { $0.contains(problem) }, "\(problems)")
    #expect(problems.allSatisfy { $0.contains("policy.yml") })
  }

  @Test("a missing file is an error that names it")
  func missing() throws {
    let path = folder.path.appending("policy.yml")
    let error = #expect(throws: ConfigurationError.self) {
      _ = try SitePolicy(contentsOf: path, of: north)
    }
    #expect(error?.description.contains("\(path): cannot be read") == true)
  }

  @Test("filters, budget and demands")
  func settings() throws {
    let policy = try policy(
      """
      rights: {}
      filters:
        tasks: [{type: exclude-tensors, names: ["head.*"]}]
        results: [clip-norm, {type: gaussian-noise, noise_multiplier: 2, tasks: [train]}]
      privacy: {epsilon: 8, delta: 1e-6, accountant: pld}
      secure_aggregation: {minimum_sites: 7}
      """
    )
    #expect(policy.filters.tasks.count == 1 && policy.filters.results.count == 2)
    #expect(policy.budget == (try PrivacyBudget(epsilon: 8, delta: 1e-6, accountant: .pld)))
    #expect(policy.secureAggregation.minimumSites == 7)
    let plain = try self.policy("rights: {}\nfilters: [clip-norm]")
    #expect(plain.filters.results.first is ClipNorm && plain.filters.tasks.isEmpty)
  }

  @Test("the site's filters come after the job's, but for codes at the end")
  func order() throws {
    let own = SiteFilters(
      tasks: [try ExcludeTensors(["own"])],
      results: [try ClipNorm(norm: 1)]
    )
    let job = SiteFilters(
      tasks: [Dequantize()],
      results: [
        try ConvertWeights(to: .weightDifference), try TopK(fraction: 0.1),
        try Quantize(.int8).limited(to: .training),
      ]
    )
    func names(_ filters: [any Filter]) -> [String] {
      filters.map { "\($0)".split(separator: "(").first.map(String.init) ?? "" }
    }
    let all = job.followed(by: own)
    #expect(names(all.tasks) == ["Dequantize", "ExcludeTensors"])
    #expect(names(all.results) == ["ConvertWeights", "ClipNorm", "TopK", "ScopedFilter"])
    // A code in the middle is not the end: the site's own must have the last word on whatever follows it.
    let middle = SiteFilters(results: [try TopK(fraction: 0.1), Densify(), try ClipNorm(norm: 9)])
    #expect(
      names(middle.followed(by: own).results) == ["TopK", "Densify", "ClipNorm", "ClipNorm"]
    )
  }
}
