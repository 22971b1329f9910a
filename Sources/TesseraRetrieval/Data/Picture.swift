/// A picture of a concept; its pixels are the row of ``RetrievalDataset/pixels`` with the same number.
public struct Picture: Sendable, Hashable {
  /// The number of the concept that it shows.
  public var concept: Int
  /// Whose drawing, or which collection, it is from.
  public var artist: String
  /// Whether models see it while they learn.
  ///
  /// Pictures are divided by artist, concepts by what they are: a concept held out for tests may have pictures to train on.
  public var split: DatasetSplit

  /// Makes a picture.
  public init(concept: Int, artist: String, split: DatasetSplit) {
    self.concept = concept
    self.artist = artist
    self.split = split
  }
}
