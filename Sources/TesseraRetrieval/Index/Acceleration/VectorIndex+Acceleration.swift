internal import GRDB
public import SystemPackage
internal import TesseraCore

/// What an acceleration has made of an index's vectors.
struct MadeAcceleration {
  /// The last transaction whose vectors it knows.
  var change: Int
  let proposals: any NeighborProposals
  /// Whether its file is as it is.
  var isWritten: Bool
  /// The rows that it does not know, as of a transaction.
  var new: (change: Int, rows: [Int])?
}

extension VectorIndex {
  /// Has the acceleration know all vectors there are, and writes its file; others can search meanwhile.
  ///
  /// Until then, searches compare exactly with what is newer. Vectors of before that are gone stay in it, and are not returned; when they are a
  /// fifth, it is made anew.
  ///
  /// - Throws: ``RetrievalError`` if the index is open for reading, has no acceleration, or cannot be written; what the acceleration throws.
  public func accelerate() throws {
    guard let acceleration else {
      throw RetrievalError(code: .invalidArgument, message: "the index \(folder) is exact")
    }
    try requireWriting()
    try reading { snapshot in
      let (state, live) = (snapshot.state, snapshot.live)
      let built = accelerated(snapshot)
      if built?.change != state.change {
        let all = try vectors.tensor(rows: state.rows)
        let new = try built.map { try rows(changedAfter: $0.change, snapshot) } ?? []
        let proposals: any NeighborProposals
        if let built, Double(built.proposals.count + new.count) <= 1.25 * Double(live.count) {
          // Nobody knows what it has if this fails half way; its file does.
          (made, looked) = (nil, nil)
          if !new.isEmpty {
            try built.proposals.add(all.gathered(Tensor(new.map(Int64.init))), rows: new)
          }
          proposals = built.proposals
        } else {
          let rows = live.rows
          let part =
            live.count == state.rows ? all : try all.gathered(Tensor(rows.map(Int64.init)))
          proposals = try acceleration.build(part, rows: rows)
        }
        made = MadeAcceleration(change: state.change, proposals: proposals, isWritten: false)
      }
      guard let made, !made.isWritten else { return }
      try AccelerationFile.write(
        made.proposals,
        of: acceleration,
        index: identifier,
        change: made.change,
        in: folder
      )
      self.made?.isWritten = true
      looked = AccelerationFile.stamp(in: folder)
    }
  }

  /// Forgets what an acceleration has made, also of another kind than this index's: searches are exact until the next ``accelerate()``.
  ///
  /// - Throws: ``RetrievalError`` if the index is open for reading, or the system refuses.
  public func removeAcceleration() throws {
    try requireWriting()
    (made, looked) = (nil, nil)
    try AccelerationFile.remove(in: folder)
  }

  /// The ``VectorAcceleration/name`` of what an index is accelerated by; `nil` if it is exact.
  public static func accelerationName(of folder: FilePath) -> String? {
    AccelerationFile.kind(in: folder)
  }

  /// How many entries the acceleration knows, and how many are newer; `nil` if it has not been made.
  ///
  /// - Throws: ``RetrievalError`` if the index cannot be read.
  public func acceleratedEntries() throws -> (known: Int, new: Int)? {
    try reading { snapshot in
      guard let built = accelerated(snapshot) else { return nil }
      let new = try rows(changedAfter: built.change, snapshot).count
      return (snapshot.live.count - new, new)
    }
  }

  private func rows(changedAfter change: Int, _ snapshot: Snapshot) throws -> [Int] {
    if let new = made?.new, made?.change == change, new.change == snapshot.state.change {
      return new.rows
    }
    let rows = try Int.fetchAll(
      snapshot.transaction,
      sql: "SELECT row FROM entries WHERE change > ? ORDER BY row",
      arguments: [change]
    )
    if made?.change == change { made?.new = (snapshot.state.change, rows) }
    return rows
  }

  /// What the acceleration has made so far, here or in another process; `nil` if it is newer than what is read.
  private func accelerated(_ snapshot: Snapshot) -> MadeAcceleration? {
    guard let acceleration else { return nil }
    // What is damaged would be looked at as a whole by each search: a file is looked at once.
    if made?.change != snapshot.state.change, let stamp = AccelerationFile.stamp(in: folder),
      stamp != looked
    {
      looked = stamp
      if let found = AccelerationFile.read(in: folder, index: identifier, acceleration),
        found.change > made?.change ?? -1
      {
        made = MadeAcceleration(
          change: found.change,
          proposals: found.proposals,
          isWritten: true
        )
      }
    }
    // What was removed since, it does not have.
    return made.flatMap { $0.change <= snapshot.state.change ? $0 : nil }
  }

  /// The best rows among those that the acceleration proposes and those that it does not know; `nil` if all are to be looked at.
  func acceleratedBest(
    _ exact: ExactSearch,
    _ queries: Tensor,
    _ limit: Int,
    allowed: RowSet,
    _ snapshot: Snapshot
  ) throws -> [[BestRows.Hit]]? {
    guard limit > 0, let built = accelerated(snapshot) else { return nil }
    let known = Double(max(built.proposals.count, 1))
    // So many that enough are left of those that are allowed.
    let wanted = Double(max(64, 4 * limit)) * max(1, known / Double(max(allowed.count, 1)))
    guard wanted <= known / 8, allowed.count > limit else { return nil }
    let new = try rows(changedAfter: built.change, snapshot).filter(allowed.contains)
    // To gather so many takes as long as to read all.
    guard new.count <= allowed.count / 8 else { return nil }
    let proposals = try built.proposals.proposals(for: queries, count: Int(wanted))
    var newest = RowSet(rows: exact.vectors.shape[0], isFull: false)
    for row in new { newest.insert(row) }
    let unknown = try ExactSearch(vectors: exact.vectors, allowed: newest)
      .candidates(queries, min(limit, new.count))
    let found = zip(proposals, unknown).map { proposed, unknown in
      Set(proposed.filter(allowed.contains)).union(unknown.map(\.row))
        .map { BestRows.Hit(row: $0, score: 0) }
    }
    // A filter that goes with a part of the space may have left too few of them.
    guard found.allSatisfy({ $0.count >= limit }) else { return nil }
    return try exact.rescored(found, queries).map { Array($0.prefix(limit)) }
  }
}
