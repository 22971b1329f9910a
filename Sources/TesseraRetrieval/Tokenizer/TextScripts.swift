internal import Foundation

/// The scripts that texts are written in, by the names of their letters: `Latin`, `Devanagari`, `Han`.
enum TextScripts {
  /// What letters' names begin with that stand in texts of any script.
  private static let others: Set = [
    "MODIFIER", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "FEMININE", "MASCULINE", "MICRO",
    "KELVIN",
    "ANGSTROM", "OHM", "SCRIPT", "DOUBLE", "BLACK", "INFORMATION", "ALEF", "BET", "GIMEL", "DALET",
    "TURNED", "SUPERSCRIPT", "SUBSCRIPT",
  ]
  /// First words of scripts' names that have two.
  private static let beginnings: Set = ["OLD", "OL", "NEW", "MEETEI", "TAI", "SYLOTI", "KAYAH"]

  /// The scripts of some texts' letters; marks, digits and punctuation have none.
  static func names(of texts: some Sequence<String>) -> Set<String> {
    var letters: Set<Unicode.Scalar> = []
    for text in texts { letters.formUnion(text.unicodeScalars) }
    return Set(letters.compactMap(name))
  }

  private static func name(of scalar: Unicode.Scalar) -> String? {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .otherLetter: break
    default: return nil
    }
    let words = (scalar.properties.name ?? "").split { $0 == " " || $0 == "-" }
    guard let first = words.first.map(String.init), !others.contains(first) else { return nil }
    if first == "CJK" { return "Han" }
    let name = beginnings.contains(first) ? words.prefix(2).joined(separator: " ") : first
    return name.capitalized
  }
}
