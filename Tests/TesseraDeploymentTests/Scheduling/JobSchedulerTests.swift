import Foundation
import TesseraDeployment
import TesseraProvisioning
import Testing

@Suite("The scheduler")
struct JobSchedulerTests {
  static let gigabyte = 1_000_000_000

  /// A job that is approved, or runs at some sites.
  static func job(
    _ id: String,
    cores: Int = 0,
    gigabytes: Int = 0,
    gpus: Int = 0,
    minimum: Int = 1,
    mandatory: Set<String> = [],
    at map: Set<String>? = nil,
    runningAt sites: [String] = []
  ) -> JobRecord {
    var job = JobRecord(
      id: id,
      name: id,
      submitter: Person(name: "ada", organisation: "hub", role: .lead),
      submitted: Date(timeIntervalSince1970: 0),
      requirements: JobRequirements(
        resources: Resources(cores: cores, memory: gigabytes * gigabyte, gpus: gpus),
        minimumSites: minimum,
        mandatorySites: mandatory,
        sites: map
      ),
      digest: ""
    )
    job.state = sites.isEmpty ? .approved : .running
    job.sites = sites.map { JobSite(name: $0, examples: 1) }
    return job
  }

  static func site(
    _ name: String,
    connected: Bool = true,
    disabled: Bool = false,
    cores: Int = 8,
    gigabytes: Int = 8,
    gpus: Int = 1
  ) -> ScheduledSite {
    ScheduledSite(
      name: name,
      isConnected: connected,
      isDisabled: disabled,
      resources: Resources(cores: cores, memory: gigabytes * gigabyte, gpus: gpus)
    )
  }

  static func verdicts(_ jobs: [JobRecord], _ sites: [ScheduledSite]) -> [JobDecision.Verdict] {
    JobScheduler.decide(jobs: jobs, sites: sites).map(\.verdict)
  }

  @Test("all sites that are there and have room take part, in the federation's order")
  func allTakePart() {
    let sites = [
      Self.site("west"), Self.site("north"), Self.site("east", connected: false),
      Self.site("south", disabled: true), Self.site("small", cores: 1),
    ]
    #expect(
      Self.verdicts([Self.job("a", cores: 2)], sites) == [.start(sites: ["west", "north"])]
    )
  }

  @Test("only jobs that are approved are decided on")
  func onlyApproved() {
    var submitted = Self.job("a")
    submitted.state = .submitted
    var done = Self.job("b")
    done.state = .finished(.completed)
    #expect(
      JobScheduler.decide(
        jobs: [submitted, done, Self.job("c"), Self.job("d", runningAt: ["north"])],
        sites: [Self.site("north")]
      ) == [JobDecision(job: "c", verdict: .start(sites: ["north"]))]
    )
  }

  @Test("a job runs at the sites of its deploy map alone")
  func deployMap() {
    let sites = ["north", "south", "west"].map { Self.site($0) }
    #expect(
      Self.verdicts([Self.job("a", at: ["west", "north"])], sites)
        == [.start(sites: ["north", "west"])]
    )
  }

  @Test("jobs run at once as long as there is room, and those that declare nothing take none")
  func severalAtOnce() {
    let jobs = [
      Self.job("a", cores: 3, runningAt: ["north"]), Self.job("b", cores: 3),
      Self.job("c", cores: 3), Self.job("d"), Self.job("e"),
    ]
    #expect(
      Self.verdicts(jobs, [Self.site("north")]) == [
        .start(sites: ["north"]),
        .wait(
          reason: "waits for 1 more site: north has 2 of 8 cores free and 3 are needed"
        ),
        .start(sites: ["north"]), .start(sites: ["north"]),
      ]
    )
  }

  @Test("a job that waits says for what")
  func waiting() {
    let jobs = [
      Self.job("a", gigabytes: 6, runningAt: ["south"]),
      Self.job("b", gigabytes: 4, minimum: 3),
    ]
    let sites = [
      Self.site("north", connected: false), Self.site("south"), Self.site("west"),
      Self.site("east", disabled: true),
    ]
    #expect(
      Self.verdicts(jobs, sites) == [
        .wait(
          reason: """
            waits for 2 more sites: north is not connected, south has 2 of 8 GB free and 4 are needed, \
            east is disabled
            """
        )
      ]
    )
  }

  @Test("a mandatory site is waited for, however many others there are")
  func mandatory() {
    let sites = [Self.site("north", connected: false), Self.site("south"), Self.site("west")]
    #expect(
      Self.verdicts([Self.job("a", mandatory: ["north"])], sites)
        == [.wait(reason: "waits for its mandatory site: north (mandatory) is not connected")]
    )
    #expect(
      Self.verdicts([Self.job("a", minimum: 3, mandatory: ["north"])], sites)
        == [.wait(reason: "waits for 1 more site: north (mandatory) is not connected")]
    )
    #expect(
      Self.verdicts([Self.job("a", mandatory: ["south"])], sites)
        == [.start(sites: ["south", "west"])]
    )
  }

  @Test("of many sites the first few are named")
  func manySites() {
    let sites = (1...100).map { Self.site("s\($0)", connected: false) }
    #expect(
      Self.verdicts([Self.job("a", minimum: 2)], sites) == [
        .wait(
          reason: """
            waits for 2 more sites: s1 is not connected, s2 is not connected, s3 is not connected, \
            s4 is not connected, s5 is not connected, and 95 more
            """
        )
      ]
    )
  }

  @Test(
    "a job that can never run is abandoned, and says why",
    arguments: [
      (
        JobSchedulerTests.job("a", mandatory: ["nroth"]),
        "nroth, which is mandatory, is no site of the federation; did you mean 'north'?"
      ),
      (
        JobSchedulerTests.job("a", mandatory: ["north"], at: ["south"]),
        "north, which is mandatory, is not among the sites that the job is for"
      ),
      (
        JobSchedulerTests.job("a", gpus: 4, mandatory: ["north"]),
        "north, which is mandatory, has 1 GPU in all and 4 are needed"
      ),
      (JobSchedulerTests.job("a", minimum: 3), "needs 3 sites, and there can be 2 at most"),
      (
        JobSchedulerTests.job("a", gigabytes: 9),
        """
        needs 1 site, and there can be 0: north has 8 GB in all and 9 are needed, \
        south has 8 GB in all and 9 are needed
        """
      ),
      (
        JobSchedulerTests.job("a", minimum: 2, at: ["north", "weast"]),
        "needs 2 sites, and there can be 1: weast is no site of the federation"
      ),
      (JobSchedulerTests.job("a", at: []), "needs 1 site, and there can be 0 at most"),
    ]
  )
  func never(_ job: JobRecord, _ reason: String) throws {
    let sites = [Self.site("north"), Self.site("south")]
    let verdict = try #require(Self.verdicts([job], sites).first)
    guard case .abandon(let text) = verdict else {
      Issue.record("\(verdict)")
      return
    }
    #expect(text.hasPrefix(reason), "\(text)")
  }

  @Test("a site that was never there may have enough")
  func unknownSite() {
    let job = Self.job("a", gpus: 4)
    #expect(
      Self.verdicts([job], [ScheduledSite(name: "north", isConnected: false)])
        == [.wait(reason: "waits for 1 more site: north is not connected")]
    )
    #expect(
      Self.verdicts([job], [ScheduledSite(name: "north", isConnected: true)])
        == [.wait(reason: "waits for 1 more site: north has not said what it has")]
    )
  }

  @Test("a site that refuses a job is not asked again, and may be one too many")
  func refusal() {
    func decide(_ job: JobRecord) -> [JobDecision.Verdict] {
      JobScheduler.decide(
        jobs: [job],
        sites: [Self.site("north"), Self.site("south")],
        refusals: ["a": ["north": "its policy forbids it"]]
      ).map(\.verdict)
    }
    #expect(decide(Self.job("a")) == [.start(sites: ["south"])])
    #expect(
      decide(Self.job("a", minimum: 2)) == [
        .abandon(
          reason: "needs 2 sites, and there can be 1: north refused it: its policy forbids it"
        )
      ]
    )
    #expect(
      decide(Self.job("a", mandatory: ["north"])) == [
        .abandon(reason: "north, which is mandatory, refused it: its policy forbids it")
      ]
    )
    #expect(decide(Self.job("b", minimum: 2)) == [.start(sites: ["north", "south"])])
  }

  @Test("what a job waits for is kept for it, and for nobody else")
  func keeping() {
    let sites = [Self.site("north"), Self.site("south")]
    let jobs = [
      Self.job("busy", cores: 4, runningAt: ["north"]),
      Self.job("big", cores: 8, minimum: 2),
      Self.job("small", cores: 2, at: ["south"]),
      Self.job("other", gpus: 1),
      Self.job("none"),
    ]
    #expect(
      Self.verdicts(jobs, sites) == [
        .wait(reason: "waits for 1 more site: north has 4 of 8 cores free and 8 are needed"),
        .wait(
          reason: """
            waits for 1 more site: south keeps what is free there for a job that came earlier
            """
        ),
        .start(sites: ["north", "south"]), .start(sites: ["north", "south"]),
      ]
    )
  }

  @Test("a job that waits for a site that is not there keeps nothing")
  func notKeeping() {
    let jobs = [Self.job("big", cores: 8, minimum: 2), Self.job("small", cores: 2)]
    #expect(
      Self.verdicts(jobs, [Self.site("north"), Self.site("south", connected: false)])
        == [
          .wait(reason: "waits for 1 more site: south is not connected"),
          .start(sites: ["north"]),
        ]
    )
  }

  /// Small jobs come without end, and each is over after a few turns; a big one that needs all of every site comes among them.
  @Test("a big job does not wait for ever behind small ones that keep coming", arguments: 0..<20)
  func noStarvation(seed: Int) {
    var numbers = SplitMix(state: UInt64(seed))
    let sites = ["north", "south", "west"].map { Self.site($0) }
    var jobs: [JobRecord] = []
    var ends: [String: Int] = [:]
    var started: Int?
    for turn in 0..<130 {
      jobs.removeAll { ends[$0.id].map { $0 <= turn } ?? false }
      for number in 0..<3 {
        jobs.append(
          Self.job(
            "small-\(turn)-\(number)",
            cores: .random(in: 1...5, using: &numbers),
            gigabytes: .random(in: 0...3, using: &numbers)
          )
        )
      }
      if turn == 5 { jobs.append(Self.job("big", cores: 8, gigabytes: 8, minimum: 3)) }
      for decision in JobScheduler.decide(jobs: jobs, sites: sites) {
        guard case .start(let names) = decision.verdict else { continue }
        if decision.job == "big" { started = turn }
        ends[decision.job] = turn + .random(in: 1...6, using: &numbers)
        for index in jobs.indices where jobs[index].id == decision.job {
          jobs[index].state = .running
          jobs[index].sites = names.map { JobSite(name: $0, examples: 1) }
        }
      }
      expectNothingIsHeldTwice(jobs, sites)
      if started != nil { break }
    }
    // Eighteen small ones came before it; what runs is over within 6 turns, and nothing later comes first.
    #expect((started ?? .max) <= 5 + 18 * 6)
    #expect(started != nil)
  }

  private func expectNothingIsHeldTwice(_ jobs: [JobRecord], _ sites: [ScheduledSite]) {
    for site in sites {
      let held = jobs.filter { $0.state == .running && $0.sites.contains { $0.name == site.name } }
      #expect(held.reduce(0) { $0 + $1.requirements.resources.cores } <= 8)
      #expect(
        held.reduce(0) { $0 + $1.requirements.resources.memory } <= 8 * Self.gigabyte
      )
    }
  }

  @Test("numbers that mean nothing do no harm")
  func extremes() {
    var absurd = Self.job("a", cores: .max, gpus: -5)
    absurd.requirements.minimumSites = .min
    let sites = [
      ScheduledSite(
        name: "north",
        isConnected: true,
        resources: Resources(cores: .max, memory: -1, gpus: .min)
      ), Self.site("north"),
    ]
    var twice = Self.job("b", cores: .max, runningAt: ["north", "north", "elsewhere"])
    twice.requirements.resources.memory = .max
    #expect(JobScheduler.decide(jobs: [twice, twice, absurd], sites: sites).count == 1)
    #expect(
      JobScheduler.decide(jobs: [Self.job("a", minimum: -3)], sites: []).map(\.verdict)
        == [.abandon(reason: "needs 1 site, and there can be 0 at most")]
    )
  }
}

/// Numbers of a seed (Steele, Lea and Flood, 2014).
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
