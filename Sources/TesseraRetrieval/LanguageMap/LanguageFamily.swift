/// A family of languages of Europe and Western Asia.
public enum LanguageFamily: String, Sendable, Hashable, CaseIterable, Codable {
  /// As English and Icelandic.
  case germanic = "Germanic"
  /// As French and Romanian.
  case romance = "Romance"
  /// As Polish and Bulgarian.
  case slavic = "Slavic"
  /// Lithuanian and Latvian.
  case baltic = "Baltic"
  /// As Finnish and Hungarian.
  case uralic = "Uralic"
  /// As Welsh and Irish.
  case celtic = "Celtic"

  /// Its languages on the map, by their codes; 35 in all families together.
  public var languages: [String] {
    switch self {
    case .germanic: ["en", "de", "nl", "sv", "da", "no", "is", "af", "lb"]
    case .romance: ["it", "pt", "es", "fr", "ro", "ca", "gl"]
    case .slavic: ["pl", "ru", "cs", "sk", "uk", "be", "bg", "mk", "sr", "hr", "sl"]
    case .baltic: ["lt", "lv"]
    case .uralic: ["fi", "et", "hu"]
    case .celtic: ["cy", "ga", "gd"]
    }
  }

  /// The family of a language of the map.
  public init?(of language: String) {
    guard let family = Self.allCases.first(where: { $0.languages.contains(language) }) else {
      return nil
    }
    self = family
  }

  /// All languages of the map, family by family.
  public static let allLanguages = allCases.flatMap(\.languages)
}
