import Foundation
import TesseraDeployment
import TesseraProvisioning
import Testing

/// What every store of jobs does.
enum JobStoreLaws {
  static func job(_ id: String, at seconds: Double = 1_764_000_000.123_456) -> JobRecord {
    JobRecord(
      id: id,
      name: "chest \"x-ray\"\n\u{1F9E9}",
      submitter: Person(name: "ada@hub", organisation: "North 'Hospital'", role: .lead),
      submitted: Date(timeIntervalSince1970: seconds),
      requirements: JobRequirements(
        resources: Resources(cores: 2, memory: 4_000_000_000, gpus: 1),
        minimumSites: 2,
        mandatorySites: ["north"],
        sites: ["north", "south"],
        runsPrograms: true
      ),
      digest: "00ff",
      clonedFrom: "0"
    )
  }

  /// What sites say of a job.
  static func rights() throws -> [String: RightsOverJobs] {
    let north = try Participant(name: "north", kind: .site, organisation: "North")
    let policy = SitePolicy(
      of: north,
      rights: [.lead: [.download: [.ownSubmission, .ownOrganisation]], .member: [:]]
    )
    return ["north": RightsOverJobs(of: policy)]
  }

  static func code(of body: () throws -> Void) -> DeploymentError.Code? {
    do {
      try body()
      return nil
    } catch {
      return (error as? DeploymentError)?.code
    }
  }

  /// What holds for a store that is empty when it is first opened.
  ///
  /// - Parameter open: Opens it again when the one before is gone.
  /// - Throws: What the store throws where it must not.
  static func hold(for open: () throws -> any JobStore) throws {
    let (jobs, sites) = try use(try open())
    let store = try open()
    #expect(try store.jobs() == jobs)
    #expect(try store.disabledSites() == sites)
    try store.add(job("after"))
    #expect(try store.jobs() == jobs + [job("after")])
  }

  private static func use(_ store: any JobStore) throws -> ([JobRecord], Set<String>) {
    try jobsAreKeptInTheOrderInWhichTheyArrived(store)
    try onlyStatesThatCanFollowDo(store)
    try changesAreAllOrNothing(store)
    try onlyWhatIsOverIsForgotten(store)
    try sitesAreDisabled(store)
    let (jobs, sites) = (try store.jobs(), try store.disabledSites())
    #expect(!jobs.isEmpty && !sites.isEmpty)
    return (jobs, sites)
  }

  private static func jobsAreKeptInTheOrderInWhichTheyArrived(_ store: any JobStore) throws {
    #expect(try store.jobs() == [])
    // Neither names nor times order them.
    let jobs = [job("z", at: 3), job("a", at: 1), job("m'\"; --", at: 2)]
    for job in jobs { try store.add(job) }
    #expect(try store.jobs() == jobs)
    #expect(try store.job("a") == jobs[1])
    #expect(try store.job("m'\"; --") == jobs[2])
    #expect(try store.job("b") == nil)
    var other = job("a", at: 9)
    other.name = "other"
    #expect(code { try store.add(other) } == .alreadyThere)
    #expect(try store.jobs() == jobs)
  }

  private static func onlyStatesThatCanFollowDo(_ store: any JobStore) throws {
    #expect(code { try store.update("nobody") { $0.name = "" } } == .notFound)
    #expect(code { try store.update("a") { $0.state = .running } } == .notAllowed)
    #expect(try store.job("a")?.state == .submitted)
    let states: [JobState] = [
      .approved, .dispatched, .running, .dispatched, .running, .finished(.failed(reason: "why")),
    ]
    for state in states {
      let changed = try store.update("a") { job in
        job.state = state
        job.sites = [JobSite(name: "north", examples: 12)]
        job.started = Date(timeIntervalSince1970: 7.25)
        job.siteRights = try rights()
        job.declined = ["south": "it has no data"]
      }
      #expect(changed.state == state)
      #expect(try store.job("a") == changed)
    }
    for state in states + [.finished(.completed), .abandoned(reason: "")] where state != states[5] {
      #expect(code { try store.update("a") { $0.state = state } } == .notAllowed)
    }
    // What else is known of a job that is over can still change.
    #expect(try store.update("a") { $0.ended = Date(timeIntervalSince1970: 8) }.ended != nil)
    #expect(try store.jobs().map(\.id) == ["z", "a", "m'\"; --"])
  }

  private static func changesAreAllOrNothing(_ store: any JobStore) throws {
    struct Stop: Error {}
    let before = try store.jobs()
    #expect(throws: Stop.self) {
      try store.update("z") { job in
        job.name = "changed"
        throw Stop()
      }
    }
    #expect(code { try store.update("z") { $0 = job("y") } } == .notAllowed)
    #expect(try store.jobs() == before)
  }

  private static func onlyWhatIsOverIsForgotten(_ store: any JobStore) throws {
    #expect(code { try store.remove("nobody") } == .notFound)
    #expect(code { try store.remove("z") } == .notAllowed)
    try store.remove("a")
    #expect(try store.job("a") == nil)
    #expect(code { try store.remove("a") } == .notFound)
    #expect(try store.jobs().map(\.id) == ["z", "m'\"; --"])
    // One that comes again comes last.
    try store.add(job("a"))
    #expect(try store.jobs().map(\.id) == ["z", "m'\"; --", "a"])
  }

  private static func sitesAreDisabled(_ store: any JobStore) throws {
    #expect(try store.disabledSites() == [])
    for name in ["north", "s'o\"uth", "north"] { try store.setSite(name, isDisabled: true) }
    #expect(try store.disabledSites() == ["north", "s'o\"uth"])
    try store.setSite("north", isDisabled: false)
    try store.setSite("west", isDisabled: false)
    #expect(try store.disabledSites() == ["s'o\"uth"])
  }
}
