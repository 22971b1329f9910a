internal import Foundation

extension LanguageMap {
  /// What the numbers of ``rows(of:)`` mean, for a page.
  public static let explanation = """
    Languages are near where a model represents the same things alike (SVCCA, spectral embedding). Family purity: how often a \
    language's nearest one, or nearest three, are of its family; English, which all translations were learnt against, is left out. \
    Balkan index: by how much Romanian is nearer to Bulgarian, Macedonian and Serbian than Italian is. Finnic–Slavic index: by how \
    much Estonian and Finnish are nearer to Slavic than to Germanic languages. In brackets is where 95 % of the values lie by \
    chance, and p: how often chance gives as much. Chance is, for the indices, the things of each language in an order of its own; for \
    purity, families that languages are dealt to by lot. What lies within says nothing.
    """

  /// A table of what maps say: a row each for the purity of families and for the indices, a column each for the maps.
  ///
  /// - Parameter tests: Of the maps.
  /// - Returns: Rows that begin with what they are called.
  public static func rows(of tests: [Tests]) -> [[String]] {
    let numbers: [(String, (Tests) -> PermutationTest?)] = [
      ("family purity, nearest", \.nearestPurity),
      ("family purity, nearest three", \.nearestThreePurity),
      ("Balkan index", \.balkanIndex), ("Finnic–Slavic index", \.finnicSlavicIndex),
    ]
    return numbers.map { name, test in [name] + tests.map { text(test($0)) } }
  }

  private static func text(_ test: PermutationTest?) -> String {
    guard let test else { return "–" }
    let interval = test.interval
    return String(
      format: "%.3f (%.3f to %.3f, p %.3f)",
      test.value,
      interval.lowerBound,
      interval.upperBound,
      test.p
    )
  }
}
