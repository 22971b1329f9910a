internal import Foundation

/// The script that a language is usually written in.
public enum LanguageScript {
  /// The script's name.
  ///
  /// - Parameter language: Its code, as CLDR or Flores-200 writes it: `hi`, `zh_Hant`, `swh_Latn`.
  /// - Returns: The name in English, as `Latin` or `Devanagari`; `nil` if nothing is known of the language.
  public static func name(of language: String) -> String? {
    let parts = language.split(whereSeparator: { $0 == "_" || $0 == "-" }).dropFirst()
    let own = parts.first { $0.count == 4 && $0.allSatisfy(\.isLetter) }.map(String.init)
    let likely = Locale.Language(
      identifier: language.replacing("_", with: "-")
    ).maximalIdentifier.split(separator: "-").dropFirst().first { $0.count == 4 }.map(String.init)
    guard var code = own ?? likely else { return nil }
    // A style of Arabic letters, with a code of its own for typesetters.
    if code == "Aran" { code = "Arab" }
    return Locale(identifier: "en").localizedString(forScriptCode: code) ?? code
  }
}
