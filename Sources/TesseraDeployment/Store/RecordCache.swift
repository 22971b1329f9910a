internal import Synchronization

/// The records of a store as they were read last: each look at all jobs would decode all of them again.
final class RecordCache: Sendable {
  private let records = Mutex<[String: (text: String, record: JobRecord)]>([:])

  /// Reads a record as it is kept.
  ///
  /// - Throws: As ``JobRecord/init(stored:of:in:)``.
  func record(_ text: String, of id: String, in place: String) throws -> JobRecord {
    if let known = records.withLock({ $0[id] }), known.text == text { return known.record }
    let record = try JobRecord(stored: text, of: id, in: place)
    records.withLock { $0[id] = (text, record) }
    return record
  }

  /// The job is gone.
  func forget(_ id: String) { records.withLock { $0[id] = nil } }
}
