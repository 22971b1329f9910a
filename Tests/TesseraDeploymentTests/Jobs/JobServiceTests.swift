import Foundation
import Synchronization
import SystemPackage
import TesseraFederation
import TesseraProvisioning
import TesseraTesting
import Testing

@testable import TesseraDeployment

/// What a server's jobs are asked while other things happen.
@Suite(.timeLimit(.minutes(20))) struct JobServiceTests {
  /// No site is there.
  private struct Nobody: SiteNetwork, Transport {
    let sites: [Site] = []
    var connectedSites: Set<String> { [] }
    func transport(
      of job: String,
      to sites: [Site],
      observer: (any TransferObserver)?,
      answers: AnswerLimit?
    ) -> any Transport { self }
    func end(_ job: String, at sites: [String], isAborted: Bool) {}
    func remove(_ site: String, because reason: String) {}
    func whenSitesHold(_ observer: @escaping @Sendable (String, [String]) -> Void) {}
    func whenSitesChange(_ observer: @escaping @Sendable () -> Void) {}
    func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {}
  }

  /// A store that does something right after a job was read, and counts how often all were.
  private final class Store: JobStore {
    private let base: SQLiteJobStore
    private let didRead = Mutex<(@Sendable () -> Void)?>(nil)
    private let looks = Mutex(0)
    private let fails = Mutex(false)
    /// Whether all jobs could be read, each time that somebody wanted to.
    let reads: AsyncStream<Bool>
    private let read: AsyncStream<Bool>.Continuation

    init(_ base: SQLiteJobStore) {
      self.base = base
      (reads, read) = AsyncStream.makeStream()
    }

    /// The next time that all jobs are read, they cannot be.
    func failOnce() { fails.withLock { $0 = true } }

    /// How often all jobs were read.
    var count: Int { looks.withLock { $0 } }
    func afterNextRead(_ body: @escaping @Sendable () -> Void) { didRead.withLock { $0 = body } }

    func jobs() throws -> [JobRecord] {
      looks.withLock { $0 += 1 }
      let fails = fails.withLock { fails in
        defer { fails = false }
        return fails
      }
      read.yield(!fails)
      if fails { throw DeploymentError(code: .unavailable, message: "the database is away") }
      return try base.jobs()
    }
    func job(_ id: String) throws -> JobRecord? {
      let job = try base.job(id)
      let next = didRead.withLock { next in
        defer { next = nil }
        return next
      }
      next?()
      return job
    }
    func add(_ job: JobRecord) throws { try base.add(job) }
    func update(_ id: String, _ change: (inout JobRecord) throws -> Void) throws -> JobRecord {
      try base.update(id, change)
    }
    func remove(_ id: String) throws { try base.remove(id) }
    func disabledSites() throws -> Set<String> { try base.disabledSites() }
    func setSite(_ name: String, isDisabled: Bool) throws {
      try base.setSite(name, isDisabled: isDisabled)
    }
  }

  /// Copies, of which one takes its time.
  private struct SlowReplica: JobReplica {
    let slow: String
    let isAsked: AsyncStream<Void>.Continuation
    let mayGoOn = DispatchSemaphore(value: 0)

    func restore(_ job: String, into folder: FilePath) throws {
      if job == slow {
        isAsked.finish()
        mayGoOn.wait()
      }
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
    }
    func store(_ folder: FilePath, of job: String, only items: [String]?) throws {}
    func remove(_ job: String) throws {}
    func jobs() throws -> Set<String> { [] }
    func removedJobs() throws -> Set<String> { [] }
  }

  private let folder: TemporaryFolder
  private let store: Store
  private let kit: StartupKit
  private let ada = JobStoreLaws.job("a").submitter

  init() throws {
    folder = try TemporaryFolder()
    store = Store(try SQLiteJobStore(at: folder.path.appending("jobs.sqlite")))
    kit = try Kits(in: folder.path).kit("server")
  }

  private func service(
    _ replica: (any JobReplica)? = nil,
    observe: @escaping @Sendable (ServerEvent) throws -> Void = { _ in }
  ) throws -> JobService {
    try JobService(kit, network: Nobody(), store: store, replica: replica, observe: observe)
  }

  private func add(_ id: String, _ states: [JobState]) throws {
    try store.add(JobStoreLaws.job(id))
    for state in states { _ = try store.update(id) { $0.state = state } }
  }

  /// Sixty sites that decline are no sixty lines in the audit log that say that the job is dispatched.
  @Test func whatChangesNoStateIsNotNotedAsAChangeOfState() throws {
    let states = Mutex<[String]>([])
    let service = try service {
      if case .jobChanged(let job) = $0 { states.withLock { $0.append(job.state.name) } }
    }
    try add("a", [.approved])
    try service.change("a") { $0.declined["north"] = "no" }
    #expect(try store.job("a")?.declined == ["north": "no"])
    #expect(states.withLock { $0 } == [])
    try service.change("a") { $0.state = .dispatched }
    #expect(states.withLock { $0 } == ["dispatched"])
  }

  /// Between the look at the job and the moment from which on one is told.
  @Test func whoWatchesAJobThatJustEndsIsToldThatItHas() async throws {
    let service = try service()
    try add("a", [.approved, .dispatched, .running])
    store.afterNextRead {
      #expect(throws: Never.self) {
        try service.change("a") {
          $0.state = .finished(.completed)
          $0.ended = Date()
        }
      }
    }
    var last: JobEvent?
    for await news in try await service.watch("a", for: ada) { last = news.event }
    guard case .changed(let job) = last else {
      Issue.record("the last that is told is \(String(describing: last))")
      return
    }
    #expect(job.state == .finished(.completed))
  }

  /// The folder of one that is over, and large, is fetched for somebody who wants to see it.
  @Test func aJobThatGoesOnDoesNotWaitForFoldersThatSomebodyWantsToSee() async throws {
    let (asked, isAsked) = AsyncStream<Void>.makeStream()
    let replica = SlowReplica(slow: "old", isAsked: isAsked)
    let service = try service(replica)
    try add("old", [.approved, .dispatched, .running, .finished(.completed)])
    try add("new", [.approved, .dispatched, .running])
    let ada = ada
    async let details = service.show("old", for: ada)
    for await _ in asked {}
    do { try await service.bring("new") } catch {
      // Or the other one would be waited for without end.
      replica.mayGoOn.signal()
      throw error
    }
    #expect(service.isHere("new") && !service.isHere("old"))
    replica.mayGoOn.signal()
    #expect(try await details.job.id == "old")
    #expect(service.isHere("old"))
  }

  @Test func whoAsksForAJobDoesNotHaveAllJobsRead() async throws {
    let (waits, waiting) = AsyncStream<Void>.makeStream()
    let service = try service { if case .jobWaits = $0 { waiting.finish() } }
    try add("a", [.approved])
    try add("b", [.approved, .dispatched, .running])
    // It waits, and no look has said for what.
    let first = try await service.show("a", for: ada)
    #expect(first.waiting?.contains("north") == true)
    let running = Task { try await service.run() }
    // Nobody but a look says so.
    for await _ in waits {}
    running.cancel()
    try? await running.value
    let count = store.count
    for _ in 0..<10 {
      #expect(try await service.show("a", for: ada).waiting == first.waiting)
      _ = try await service.show("b", for: ada)
    }
    #expect(store.count == count)
  }

  /// It would stand in the log and in the audit log for every job that waits.
  @Test func aStoreThatFailsOnceHasNoReasonToldAgain() async throws {
    let count = Mutex(0)
    let (waits, waiting) = AsyncStream<Void>.makeStream()
    let service = try service {
      guard case .jobWaits = $0 else { return }
      count.withLock { $0 += 1 }
      waiting.finish()
    }
    try add("a", [.approved])
    let running = Task { try await service.run() }
    for await _ in waits {}
    store.failOnce()
    service.lookAgain()
    var reads = store.reads.makeAsyncIterator()
    while await reads.next() != false {}
    service.lookAgain()
    while await reads.next() != true {}
    running.cancel()
    try? await running.value
    #expect(count.withLock { $0 } == 1)
  }

  @Test func whatHappensBeforeALookIsSeenByOne() {
    let looks = Mutex(0)
    let look = DueLook { looks.withLock { $0 += 1 } }
    for _ in 0..<5 { look.ask() }
    #expect(looks.withLock { $0 } == 1)
    look.begin()
    look.ask()
    #expect(looks.withLock { $0 } == 2)
  }
}
