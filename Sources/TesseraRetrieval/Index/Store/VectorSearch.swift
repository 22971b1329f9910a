/// What is looked for beside the query's vector.
public struct VectorSearch: Sendable, Hashable {
  /// The most matches of each query.
  public var limit: Int
  /// How many of the best are left out: the pages before this one.
  public var offset: Int
  /// The least score, if there is one.
  public var threshold: Float?
  /// What entries must be.
  public var filter: VectorFilter?

  /// Makes one.
  public init(
    limit: Int = 10,
    offset: Int = 0,
    threshold: Float? = nil,
    filter: VectorFilter? = nil
  ) {
    self.limit = limit
    self.offset = offset
    self.threshold = threshold
    self.filter = filter
  }

  /// Refuses numbers that make no sense, and queries that do not fit a store.
  func check(_ queries: [[Float]], dimension: Int) throws {
    func refused(_ message: String) -> RetrievalError {
      RetrievalError(code: .invalidArgument, message: message)
    }
    guard limit >= 0, offset >= 0, limit <= Self.most, offset <= Self.most else {
      throw refused("limit and offset of a search are from 0 to \(Self.most)")
    }
    if let threshold, threshold.isNaN { throw refused("the threshold of a search is no number") }
    for (number, query) in queries.enumerated() {
      guard query.count == dimension else {
        throw refused(
          "query \(number) has \(query.count) numbers; the store's vectors have \(dimension)"
        )
      }
      guard query.allSatisfy(\.isFinite) else {
        throw refused("query \(number) has NaN or infinity")
      }
    }
  }

  private static let most = 1_000_000
}

/// An entry that a search has found.
public struct VectorMatch: Sendable, Hashable {
  /// The entry's id.
  public var id: String
  /// The inner product of the query's and the entry's vectors: the cosine of their angle where both have length 1.
  public var score: Float
  /// The entry's metadata.
  public var metadata: [String: MetadataValue]

  /// Makes a match.
  public init(id: String, score: Float, metadata: [String: MetadataValue] = [:]) {
    self.id = id
    self.score = score
    self.metadata = metadata
  }
}

/// Two entries with nearly the same vector.
public struct NearDuplicate: Sendable, Hashable {
  /// One of them: in a ``VectorIndex`` the one with the lower row.
  public var first: String
  /// The other.
  public var second: String
  /// The inner product of their vectors.
  public var score: Float

  /// Makes a pair.
  public init(first: String, second: String, score: Float) {
    self.first = first
    self.second = second
    self.score = score
  }
}
