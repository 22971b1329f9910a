extension Exchange {
  /// What is known about an exchange's content.
  public struct Metadata: Sendable, Hashable, Codable {
    /// How many steps of an optimiser led to it.
    public var steps: Int?
    /// How many examples it rests on.
    public var samples: Int?
    /// How much it counts in a mean; the number of ``samples`` if `nil`.
    public var weight: Double?
    /// The round it belongs to, from 1.
    public var round: Int?
    /// How many rounds there are at most.
    public var rounds: Int?
    /// The name of the site that made it.
    public var contributor: String?
    /// The algorithm that made it.
    public var algorithm: String?
    /// The tensors that are left out on purpose: the receiver keeps its own.
    public var excluded: [String] = []
    /// What was done to the tensors, the latest last, so that the receiver can undo it.
    public var processing: [Processing] = []

    /// What is given; all else is unknown.
    public init(
      steps: Int? = nil,
      samples: Int? = nil,
      weight: Double? = nil,
      round: Int? = nil,
      rounds: Int? = nil,
      contributor: String? = nil,
      algorithm: String? = nil
    ) {
      self.steps = steps
      self.samples = samples
      self.weight = weight
      self.round = round
      self.rounds = rounds
      self.contributor = contributor
      self.algorithm = algorithm
    }
  }

  /// One thing that a filter did to tensors.
  public struct Processing: Sendable, Hashable, Codable {
    /// What was done, in a word such as `quantised`, `sparse` or `encrypted`.
    public var algorithm: String
    /// The names of the tensors it was done to, as they were called before.
    public var tensors: [String]
    /// Numbers that the receiver needs.
    public var parameters: [String: Double]
    /// The size of these tensors before, in bytes.
    public var bytesBefore: Int
    /// Their size after, in bytes.
    public var bytesAfter: Int

    /// A note of what was done.
    public init(
      _ algorithm: String,
      tensors: [String],
      parameters: [String: Double] = [:],
      bytesBefore: Int,
      bytesAfter: Int
    ) {
      self.algorithm = algorithm
      self.tensors = tensors
      self.parameters = parameters
      self.bytesBefore = bytesBefore
      self.bytesAfter = bytesAfter
    }
  }
}
