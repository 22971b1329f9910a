internal import GRDB
internal import TesseraCore

extension VectorIndex {
  /// Has the acceleration know all vectors there are, and writes its file.
  ///
  /// Until then, searches compare exactly with what is newer. Vectors of before that are gone stay in it, and are not returned; when they are a
  /// fifth, it is made anew.
  ///
  /// - Throws: ``RetrievalError`` if the index is open for reading, has no acceleration, or cannot be written; what the acceleration throws.
  public func accelerate() throws {
    guard let acceleration else {
      throw RetrievalError(code: .invalidArgument, message: "the index \(folder) is exact")
    }
    try writing { _ in
      let (state, live) = try live()
      let built = accelerated()
      if let built, built.change == state.change { return }
      let all = try vectors.tensor(rows: state.rows)
      let new = try built.map { try rows(changedAfter: $0.change) } ?? []
      let proposals: any NeighborProposals
      if let built, Double(built.proposals.count + new.count) <= 1.25 * Double(live.count) {
        try built.proposals.add(all.gathered(Tensor(new.map(Int64.init))), rows: new)
        proposals = built.proposals
      } else {
        let rows = live.rows
        let part = live.count == state.rows ? all : try all.gathered(Tensor(rows.map(Int64.init)))
        proposals = try acceleration.build(part, rows: rows)
      }
      try AccelerationFile.write(
        proposals,
        of: acceleration,
        index: identifier,
        change: state.change,
        in: folder
      )
      made = (state.change, proposals)
    }
  }

  /// The last transaction that the acceleration knows, if it has been made: less than that of the entries while it is behind.
  public func acceleratedEntries() throws -> (known: Int, new: Int)? {
    guard let built = accelerated() else { return nil }
    let new = try rows(changedAfter: built.change).count
    return (try live().live.count - new, new)
  }

  private func rows(changedAfter change: Int) throws -> [Int] {
    try database.read {
      try Int.fetchAll(
        $0,
        sql: "SELECT row FROM entries WHERE change > ? ORDER BY row",
        arguments: [change]
      )
    }
  }

  /// What the acceleration has made so far.
  private func accelerated() -> (change: Int, proposals: any NeighborProposals)? {
    guard let acceleration else { return nil }
    if made == nil, !hasLookedForMade {
      // What is damaged would be looked at as a whole by each search.
      hasLookedForMade = true
      made = AccelerationFile.read(in: folder, index: identifier, acceleration)
    }
    return made
  }

  /// The best rows among those that the acceleration proposes and those that it does not know; `nil` if all are to be looked at.
  func acceleratedBest(
    _ exact: ExactSearch,
    _ queries: Tensor,
    _ limit: Int,
    allowed: RowSet,
    live: RowSet
  ) throws -> [[BestRows.Hit]]? {
    guard let built = accelerated(), limit > 0 else { return nil }
    let known = Double(max(built.proposals.count, 1))
    // So many that enough are left of those that are allowed.
    let wanted = Double(max(64, 4 * limit)) * max(1, known / Double(max(allowed.count, 1)))
    guard wanted <= known / 8, allowed.count > limit else { return nil }
    let proposals = try built.proposals.proposals(for: queries, count: Int(wanted))
    let new = try rows(changedAfter: built.change).filter(allowed.contains)
    let found = proposals.map { proposed in
      var rows = RowSet(rows: exact.vectors.shape[0], isFull: false)
      for row in proposed where allowed.contains(row) { rows.insert(row) }
      for row in new { rows.insert(row) }
      return rows.rows.map { BestRows.Hit(row: $0, score: 0) }
    }
    // A filter that goes with a part of the space may have left too few of them.
    guard found.allSatisfy({ $0.count >= limit }) else { return nil }
    return try exact.rescored(found, queries).map { Array($0.prefix(limit)) }
  }
}
