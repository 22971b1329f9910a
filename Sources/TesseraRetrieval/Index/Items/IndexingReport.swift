/// How far the indexing of pictures has come.
public struct IndexingReport: Sendable, Hashable {
  /// A picture that was left out.
  public struct Skipped: Sendable, Hashable {
    /// Its id.
    public var id: String
    /// Why, with the name of its file.
    public var reason: String
  }

  /// How many pictures there are.
  public var total: Int
  /// How many are new in the store.
  public var added = 0
  /// How many were there and have changed.
  public var updated = 0
  /// How many were there as they are.
  public var unchanged = 0
  /// How many entries were removed because their pictures are gone.
  public var removed = 0
  /// Those that could not be read; what the store has of them from before is still there.
  public var skipped: [Skipped] = []
  /// Seconds since the start.
  public var seconds = 0.0

  /// How many pictures are done with.
  public var done: Int { added + updated + unchanged + skipped.count }

  /// The seconds that the others will take if they are like those before; `nil` at the start.
  public var secondsLeft: Double? {
    done == 0 ? nil : seconds / Double(done) * Double(total - done)
  }
}
