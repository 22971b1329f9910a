import Foundation
import GRDB
import SystemPackage
import TesseraDeployment
import TesseraTesting
import Testing

@Suite("Stores of earlier versions")
struct EarlierStoreTests {
  @Test("records with states in their earlier form are read, and written in the form of today")
  func migration() throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("jobs.sqlite")
    let job = JobStoreLaws.job("job-1")
    try SQLiteJobStore(at: path).add(job)
    // As the version before wrote it: without the mark of what has been brought up to date since.
    let earlier = #""state":{"finished":{"_0":{"aborted":{"by":"ada"}}}}"#
    try {
      let queue = try DatabaseQueue(path: path.string)
      try queue.write { database in
        try database.execute(
          sql: "UPDATE jobs SET state = 'aborted', record = replace(record, ?, ?)",
          arguments: [
            #""state":{"by":null,"outcome":null,"reason":null,"state":"submitted"}"#, earlier,
          ]
        )
        try database.execute(sql: "DELETE FROM grdb_migrations WHERE identifier LIKE '2:%'")
        let texts = try String.fetchAll(database, sql: "SELECT record FROM jobs")
        #expect(texts.allSatisfy { $0.contains(earlier) })
      }
      try queue.close()
    }()
    var expected = job
    expected.state = .finished(.aborted(by: "ada"))
    try {
      let store = try SQLiteJobStore(at: path)
      #expect(try store.jobs() == [expected])
    }()
    let queue = try DatabaseQueue(path: path.string)
    let texts = try queue.read { try String.fetchAll($0, sql: "SELECT record FROM jobs") }
    #expect(texts.count == 1 && texts.allSatisfy { $0.contains(#""outcome":"aborted""#) })
  }
}
