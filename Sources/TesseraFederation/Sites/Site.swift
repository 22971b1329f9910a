/// A place that keeps its data and takes part in rounds.
public struct Site: Sendable, Hashable {
  /// Its position in the list of sites; keys for random numbers are derived from it.
  public var index: Int
  /// Its name, for people; ``checkName(_:)`` says what it may be.
  public var name: String
  /// The number of its training examples: the most that an update of it may weigh.
  public var exampleCount: Int

  /// Makes a site.
  public init(index: Int, name: String, exampleCount: Int) {
    self.index = index
    self.name = name
    self.exampleCount = exampleCount
  }
}
