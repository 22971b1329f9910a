/// A text and its translation.
public struct TextPair: Sendable, Hashable {
  /// The language of `right`.
  public var language: String
  /// Where the pair is from.
  public var source: String
  /// The text in English.
  public var left: String
  /// The text in `language`.
  public var right: String
  /// The number of the concept that both name, if it is one of the data set's.
  public var concept: Int?

  /// Makes a pair.
  public init(language: String, source: String, left: String, right: String, concept: Int? = nil) {
    self.language = language
    self.source = source
    self.left = left
    self.right = right
    self.concept = concept
  }
}
