import Foundation
import Synchronization
import SystemPackage
import TesseraDeployment
import TesseraTesting
import Testing

@Suite("Two servers and a database")
struct PostgreSQLTests {
  let server: TestPostgreSQL
  let address: String

  init() throws {
    server = try TestPostgreSQL.shared.get()
    address = try server.database()
  }

  private func failure(_ body: () throws -> Void) -> DeploymentError? {
    do { try body() } catch { return error as? DeploymentError }
    return nil
  }

  @Test("what every store does")
  func laws() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    try JobStoreLaws.hold { try PostgreSQLJobStore(at: address, epoch: lease.epoch) }
  }

  @Test("a database that is not there is an error that names it, and holds no password")
  func noDatabase() async throws {
    let nowhere = "host=/nowhere dbname=jobs user=tester password=secret"
    let error = try #require(failure { _ = try PostgreSQLJobStore(at: nowhere, epoch: nil) })
    #expect(error.code == .unavailable)
    #expect(error.message.contains("/nowhere") && !error.message.contains("secret"))
    await #expect(throws: DeploymentError.self) {
      _ = try await ServerLease.acquire(at: nowhere, as: "one")
    }
    #expect(failure { _ = try PostgreSQLJobStore(at: "host=", epoch: nil) }?.code == .unavailable)
    for unclear in [
      "???", "postgresql://tessera:secret@word@db.invalid/jobs",
      "postgresql://tessera:secret/word@db.invalid/jobs", "host='secret",
    ] {
      let error = try #require(failure { _ = try RecordReplica(at: unclear, epoch: nil) })
      #expect(error.code == .invalidArgument)
      #expect(!error.message.contains("secret") && !error.message.contains("word@"))
    }
  }

  @Test("a lease that the database has given to another is lost, though its connection stays")
  func exchanged() async throws {
    let told = Mutex<[DeploymentError.Code?]>([])
    let lease = try await ServerLease.acquire(at: address, as: "one") { error in
      told.withLock { $0.append((error as? DeploymentError)?.code) }
    }
    // As when another database, in which another server acts, is behind the same address.
    try server.psql("UPDATE tessera_lease SET epoch = epoch + 1", in: address)
    #expect(try await lease.lost().code == .notActive)
    #expect(told.withLock { $0 } == [.notActive])
  }

  @Test("tables of a newer version are not touched")
  func newer() throws {
    _ = try PostgreSQLJobStore(at: address, epoch: nil)
    try server.psql("INSERT INTO tessera_version VALUES (4)", in: address)
    let error = try #require(failure { _ = try PostgreSQLJobStore(at: address, epoch: nil) })
    #expect(error.code == .cannotRead)
    #expect(error.message.contains("newer version of Tessera"))
  }

  /// As version 1 made its tables, and wrote a job whose end it had not yet in today's form.
  private func makeFirstTables() throws {
    try server.psql(
      """
      CREATE TABLE tessera_version (version integer NOT NULL);
      CREATE TABLE tessera_jobs (
        number bigserial PRIMARY KEY, id text NOT NULL UNIQUE, state text NOT NULL, record text NOT NULL
      );
      CREATE TABLE tessera_disabled_sites (name text PRIMARY KEY);
      CREATE TABLE tessera_lease (
        is_single boolean PRIMARY KEY DEFAULT true CHECK (is_single), epoch bigint NOT NULL,
        holder text NOT NULL, federation text
      );
      INSERT INTO tessera_lease (epoch, holder) VALUES (7, 'old');
      CREATE TABLE tessera_files (
        job text NOT NULL, path text NOT NULL, bytes bigint NOT NULL, digest text NOT NULL, PRIMARY KEY (job, path)
      );
      CREATE TABLE tessera_chunks (
        job text NOT NULL, path text NOT NULL, number bigint NOT NULL, digest text NOT NULL,
        content bytea NOT NULL, PRIMARY KEY (job, path, number),
        FOREIGN KEY (job, path) REFERENCES tessera_files ON DELETE CASCADE
      );
      INSERT INTO tessera_version VALUES (1);
      INSERT INTO tessera_disabled_sites VALUES ('south');
      """,
      in: address
    )
  }

  /// The record of a job as it is stored today, from a database of its own.
  private func stored(_ job: JobRecord) throws -> String {
    let database = try server.database()
    _ = try PostgreSQLJobStore(at: database, epoch: nil)
    try PostgreSQLJobStore(at: database, epoch: 0).add(job)
    return try server.psql("SELECT record FROM tessera_jobs", in: database)
      .trimmingCharacters(in: .newlines)
  }

  @Test("tables and records of earlier versions are brought up to date", arguments: [1, 2])
  func earlier(version: Int) async throws {
    try makeFirstTables()
    if version > 1 {
      try server.psql(
        """
        CREATE TABLE tessera_removed_jobs (id text PRIMARY KEY);
        INSERT INTO tessera_version VALUES (2);
        INSERT INTO tessera_removed_jobs VALUES ('gone');
        """,
        in: address
      )
    }
    let today = #""state":{"by":null,"outcome":null,"reason":null,"state":"submitted"}"#
    let before = #""state":{"finished":{"_0":{"aborted":{"by":"ada"}}}}"#
    let running = JobStoreLaws.job("running")
    let text = try stored(JobStoreLaws.job("ended"))
    #expect(text.contains(today))
    let record = text.replacingOccurrences(of: today, with: before)
    try server.psql(
      """
      INSERT INTO tessera_jobs (id, state, record) VALUES
        ('ended', 'aborted', $$\(record)$$), ('running', 'submitted', $$\(try stored(running))$$)
      """,
      in: address
    )
    let lease = try await ServerLease.acquire(at: address, as: "new")
    #expect(lease.epoch == 8)
    let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
    var ended = JobStoreLaws.job("ended")
    ended.state = .finished(.aborted(by: "ada"))
    #expect(try store.jobs() == [ended, running])
    #expect(try store.disabledSites() == ["south"])
    let written = try server.psql(
      "SELECT record FROM tessera_jobs WHERE id = 'ended'",
      in: address
    )
    #expect(written.contains(#""outcome":"aborted""#) && !written.contains("_0"))
    #expect(try server.psql("SELECT max(version) FROM tessera_version", in: address).hasPrefix("3"))
    let removed = try RecordReplica(at: address, epoch: lease.epoch).removedJobs()
    #expect(removed == (version > 1 ? ["gone"] : []))
    // They are brought up to date once, and work as new ones do.
    _ = try PostgreSQLJobStore(at: address, epoch: lease.epoch).update("running") {
      $0.state = .approved
    }
    let count = try server.psql("SELECT count(*) FROM tessera_version", in: address)
    #expect(count.hasPrefix("3"))
  }

  @Test("a database is for one federation")
  func federations() async throws {
    let first = try await ServerLease.acquire(at: address, as: "one", of: "chest")
    let error = await #expect(throws: DeploymentError.self) {
      // It does not wait for the lease either.
      _ = try await ServerLease.acquire(at: address, as: "two", of: "brain")
    }
    #expect(error?.code == .notAllowed)
    #expect(error?.message.contains("'chest'") == true)
    first.release()
    let second = try await ServerLease.acquire(at: address, as: "two", of: "chest")
    #expect(second.epoch == first.epoch + 1)
  }

  @Test("a record that was changed by hand is an error that names the job")
  func badRecord() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
    try store.add(JobStoreLaws.job("a"))
    try server.psql("UPDATE tessera_jobs SET record = '{}'", in: address)
    #expect(failure { _ = try store.jobs() }?.message.contains("the record of job a") == true)
  }

  @Test("a connection that is lost is made again by the next call")
  func reconnection() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
    try store.add(JobStoreLaws.job("a"))
    // All but that of the lease.
    try disconnect(where: "query NOT LIKE '%epoch + 1%'")
    let error = failure { try store.add(JobStoreLaws.job("b")) }
    #expect(error == nil || error?.code == .unavailable)
    if error != nil { try store.add(JobStoreLaws.job("b")) }
    #expect(try store.jobs().map(\.id) == ["a", "b"])
  }

  @Test("without the lease nothing is written")
  func noLease() throws {
    let store = try PostgreSQLJobStore(at: address, epoch: nil)
    #expect(failure { try store.add(JobStoreLaws.job("a")) }?.code == .notActive)
    #expect(failure { try store.setSite("north", isDisabled: true) }?.code == .notActive)
    #expect(try store.jobs() == [])
    #expect(try store.disabledSites() == [])
  }

  @Test("the second has the lease when the first gives it up, and the first can write no more")
  func handOver() async throws {
    let first = try await ServerLease.acquire(at: address, as: "one")
    let old = try PostgreSQLJobStore(at: address, epoch: first.epoch)
    let replica = try RecordReplica(at: address, epoch: first.epoch)
    try old.add(JobStoreLaws.job("a"))
    let order = Mutex<[String]>([])
    async let second = {
      let lease = try await ServerLease.acquire(at: address, as: "two")
      order.withLock { $0.append("second") }
      return lease
    }()
    try old.update("a") { $0.state = .approved }
    order.withLock { $0.append("first") }
    first.release()
    #expect(try await first.lost().code == .unavailable)
    let lease = try await second
    #expect(order.withLock { $0 } == ["first", "second"])
    #expect(lease.epoch > first.epoch)
    let new = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
    #expect(try new.job("a")?.state == .approved)
    try new.update("a") { $0.state = .dispatched }
    let error = try #require(failure { try old.update("a") { $0.state = .dispatched } })
    #expect(error.code == .notActive)
    #expect(error.message.contains("two"))
    #expect(failure { try old.add(JobStoreLaws.job("b")) }?.code == .notActive)
    #expect(failure { try old.remove("a") }?.code == .notActive)
    #expect(failure { try replica.remove("a") }?.code == .notActive)
    #expect(try old.jobs() == new.jobs())
    #expect(try new.jobs().count == 1)
  }

  @Test("who is cancelled waits no longer, and has nothing")
  func cancellation() async throws {
    let first = try await ServerLease.acquire(at: address, as: "one")
    let waiting = Task { try await ServerLease.acquire(at: address, as: "two") }
    waiting.cancel()
    await #expect(throws: (any Error).self) { _ = try await waiting.value }
    first.release()
    let third = try await ServerLease.acquire(at: address, as: "three")
    #expect(third.epoch == first.epoch + 1)
  }

  @Test("who waits for the end of a lease can be cancelled, and the lease is held on")
  func cancelledWatching() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    let watching = Task { try await lease.lost() }
    watching.cancel()
    await #expect(throws: CancellationError.self) { _ = try await watching.value }
    try PostgreSQLJobStore(at: address, epoch: lease.epoch).add(JobStoreLaws.job("a"))
    async let reason = lease.lost()
    lease.release()
    #expect(try await reason.code == .unavailable)
  }

  @Test("a lease whose connection is ended is lost, and says so")
  func lost() async throws {
    let lease = try await ServerLease.acquire(at: address, as: "one")
    async let reason = lease.lost()
    try disconnect(where: "true")
    #expect(try await reason.code == .unavailable)
    // It can be had again.
    let again = try await ServerLease.acquire(at: address, as: "one")
    #expect(again.epoch == lease.epoch + 1)
  }

  @Test(
    "when the active one is killed, another has the lease, and all that was written"
  )
  func killed() async throws {
    await #expect(processExitsWith: .signal(SIGKILL)) { [address = address as String] in
      let lease = try await ServerLease.acquire(at: address, as: "active")
      let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
      for number in 0..<50 { try store.add(JobStoreLaws.job("job-\(number)")) }
      kill(getpid(), SIGKILL)
    }
    let start = ContinuousClock.now
    let lease = try await ServerLease.acquire(at: address, as: "standby")
    // Five seconds are what a standby has; on a machine that is busy with other tests, the figure is not to be had.
    #expect(ContinuousClock.now - start < .seconds(30))
    let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
    #expect(try store.jobs().count == 50)
  }

  /// The server of this test stands by while another process, the active one, is killed in the middle of writing.
  @Test("a standby that waits goes on where the killed one was")
  func standby() async throws {
    let folder = try TemporaryFolder()
    let noted = folder.path.appending("noted")
    // First in line, so that the child, which takes it from here, comes before the standby.
    let gate = try await ServerLease.acquire(at: address, as: "gate")
    async let child: Void = {
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [address = address as String, noted = noted.string as String] in
        let lease = try await ServerLease.acquire(at: address, as: "active")
        let store = try PostgreSQLJobStore(at: address, epoch: lease.epoch)
        let notes = try FileDescriptor.open(
          FilePath(noted),
          .writeOnly,
          options: [.create, .append],
          permissions: [.ownerReadWrite]
        )
        var number = 0
        let killer = DispatchSemaphore(value: 0)
        Thread {
          killer.wait()
          kill(getpid(), SIGKILL)
        }.start()
        while true {
          try store.add(JobStoreLaws.job("job-\(number)"))
          try notes.writeAll("\(number)\n".utf8)
          number += 1
          if number == 20 { killer.signal() }
        }
      }
    }()
    try await server.patientPSQL(
      """
      DO $$ BEGIN
        WHILE (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) < 1
        LOOP PERFORM pg_sleep(0.01); END LOOP;
      END $$
      """,
      in: address
    )
    async let second = ServerLease.acquire(at: address, as: "standby")
    gate.release()
    await child
    let lease = try await second
    #expect(lease.epoch >= gate.epoch + 2)
    let count = try folder.bytes(of: noted).count { $0 == UInt8(ascii: "\n") }
    let jobs = try PostgreSQLJobStore(at: address, epoch: lease.epoch).jobs()
    #expect(count >= 20 && (count...count + 1).contains(jobs.count))
    #expect(jobs.map(\.id) == jobs.indices.map { "job-\($0)" })
  }

  /// Ends connections to the test's database.
  private func disconnect(where condition: String) throws {
    try server.psql(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND \(condition)
      """,
      in: address
    )
  }
}
