/// What a concept is called in a language.
public struct Caption: Sendable, Hashable {
  /// What kind of text a caption is.
  public enum Kind: String, Sendable, Hashable, CaseIterable, Codable {
    /// A short name: "bear".
    case name
    /// Words that belong to it, joined by ` | `: "animal | bear | face".
    case keywords
    /// A sentence: "A bear looks out of its cave."
    case sentence
  }

  /// The language's code, as CLDR writes it: `de`, `zh_Hant`.
  public var language: String
  /// The number of the concept.
  public var concept: Int
  /// What kind of text it is.
  public var kind: Kind
  /// The text.
  public var text: String

  /// Makes a caption.
  public init(language: String, concept: Int, kind: Kind, text: String) {
    self.language = language
    self.concept = concept
    self.kind = kind
    self.text = text
  }
}
