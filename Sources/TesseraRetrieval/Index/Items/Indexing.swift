internal import Foundation
internal import TesseraCore
internal import TesseraData
internal import TesseraRun

/// Brings a store up to date with a list of things: what is new or has changed since the last time becomes vectors, the rest is left alone.
struct Indexing<Content: Sendable> {
  /// A thing of the list.
  struct Item: Sendable {
    /// Its name in the store.
    var id: String
    /// What is known of it.
    var metadata: [String: MetadataValue]
    /// Its digest, and what it becomes a vector by; called on any thread.
    var read: @Sendable () throws -> (digest: String, content: () throws -> Content)
  }

  private enum Outcome: Sendable {
    case unchanged
    case changed(digest: String, Content)
    case unreadable(String)
  }

  /// How many become vectors, and are written, at a time.
  var batch: Int
  /// Makes `[things, dimension]`.
  var vectors: ([Content]) throws -> Tensor

  /// Brings a store up to date.
  ///
  /// - Parameters:
  ///   - items: With different ids.
  ///   - store: Of the same model.
  ///   - removesOthers: Whether entries that are not among the items are removed.
  ///   - progress: Is told after each item; several are read at a time.
  /// - Returns: What became of them.
  /// - Throws: What the store throws, ``RetrievalError`` if ids repeat, `CancellationError`; what was written until then is in the store.
  func index(
    _ items: [Item],
    into store: any VectorStore,
    removesOthers: Bool,
    progress: (IndexingReport) -> Void
  ) async throws -> IndexingReport {
    let start = ContinuousClock.now
    var report = IndexingReport(total: items.count)
    var known = try await knownDigests(store)
    let ids = Set(items.map(\.id))
    guard ids.count == items.count else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "two entries of the list have the same id"
      )
    }
    var waiting: [(item: Item, digest: String, content: Content)] = []
    func note() {
      report.seconds = (ContinuousClock.now - start) / .seconds(1)
      progress(report)
    }
    func write() async throws {
      guard !waiting.isEmpty else { return }
      let entries = try entries(waiting)
      let (old, new) = (
        entries.filter { known[$0.id] != nil }, entries.filter { known[$0.id] == nil }
      )
      if !new.isEmpty { try await store.add(new) }
      if !old.isEmpty { try await store.update(old) }
      report.added += new.count
      report.updated += old.count
      waiting = []
    }
    for start in stride(from: 0, to: items.count, by: max(1, batch)) {
      try Task.checkCancellation()
      let piece = items[start..<min(items.count, start + max(1, batch))]
      for (item, outcome) in zip(piece, try Self.read(piece, known)) {
        switch outcome {
        case .unchanged: report.unchanged += 1
        case .changed(let digest, let content):
          waiting.append((item, digest, content))
          if waiting.count >= max(1, batch) { try await write() }
        case .unreadable(let reason):
          report.skipped.append(IndexingReport.Skipped(id: item.id, reason: reason))
        }
        note()
      }
    }
    try await write()
    if removesOthers {
      for id in ids { known[id] = nil }
      let gone = known.keys.sorted()
      for first in stride(from: 0, to: gone.count, by: 1000) {
        report.removed += try await store.remove(Array(gone[first..<min(gone.count, first + 1000)]))
      }
    }
    note()
    return report
  }

  /// Reads some items, on all cores.
  private static func read(
    _ items: ArraySlice<Item>,
    _ known: [String: String]
  ) throws -> [Outcome] {
    try ParallelWork.map(items.count, step: "", progress: { _ in }) { number in
      let item = items[items.startIndex + number]
      do {
        let (own, content) = try item.read()
        let digest = try Self.digest(own, item.metadata)
        return known[item.id] == digest
          ? .unchanged : .changed(digest: digest, try content())
      } catch let error where error is RetrievalError || error is DataError {
        return .unreadable("\(error)")
      }
    }
  }

  private func knownDigests(_ store: any VectorStore) async throws -> [String: String] {
    var known: [String: String] = [:]
    var last: String?
    let page = 10_000
    while true {
      let found = try await store.digests(after: last, limit: page)
      for (id, digest) in found { known[id] = digest }
      guard found.count == page, let next = found.last?.id else { return known }
      last = next
    }
  }

  private func entries(
    _ waiting: [(item: Item, digest: String, content: Content)]
  ) throws -> [VectorEntry] {
    let vectors = try vectors(waiting.map(\.content))
    guard vectors.shape.count == 2, vectors.shape[0] == waiting.count else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(waiting.count) entries have become \(vectors)"
      )
    }
    let (numbers, dimension) = (try vectors.to(.float32).array(of: Float.self), vectors.shape[1])
    return waiting.enumerated().map { row, entry in
      VectorEntry(
        id: entry.item.id,
        vector: Array(numbers[row * dimension..<(row + 1) * dimension]),
        metadata: entry.item.metadata,
        digest: entry.digest
      )
    }
  }

  /// Of a thing and what is said of it: when either changes, so does the entry.
  private static func digest(_ own: String, _ metadata: [String: MetadataValue]) throws -> String {
    guard !metadata.isEmpty else { return own }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Digest.sha256(
      ofText: "\(own)\n\(String(decoding: try encoder.encode(metadata), as: UTF8.self))"
    )
  }
}
