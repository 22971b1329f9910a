/// What distinguishes two models' maps of the same languages, as that of a model that learned from texts alone and that of one that
/// learned from pictures, too.
public struct LanguageMapComparison: Sendable, Hashable, Codable {
  /// By how much the second map's numbers are more than the first's, each against the differences that shuffled things give.
  public var differences: LanguageMap.Tests
  /// The correlation of both maps' similarities over all pairs of languages, in `-1...1`: whether the same languages are near.
  public var agreement: Double

  /// Compares two maps.
  ///
  /// - Parameters:
  ///   - first: A map.
  ///   - second: Another of the same things, shuffled in the same orders.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if they are of other languages or things.
  public init(from first: LanguageMap, to second: LanguageMap) throws {
    guard first.languages == second.languages, first.things == second.things else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          maps of \(first.languages.count) languages and \(first.things) things, and of \(second.languages.count) and \
          \(second.things), cannot be compared
          """
      )
    }
    func difference(_ test: KeyPath<LanguageMap.Tests, PermutationTest?>) -> PermutationTest? {
      guard let one = first.tests[keyPath: test], let other = second.tests[keyPath: test] else {
        return nil
      }
      return other.difference(from: one)
    }
    differences = LanguageMap.Tests(
      balkanIndex: difference(\.balkanIndex),
      finnicSlavicIndex: difference(\.finnicSlavicIndex),
      nearestPurity: difference(\.nearestPurity),
      nearestThreePurity: difference(\.nearestThreePurity)
    )
    func pairs(_ map: LanguageMap) -> [Double] {
      map.languages.indices.flatMap { row in map.similarities[row][(row + 1)...] }
    }
    agreement = Self.correlation(pairs(first), pairs(second))
  }

  /// Pearson's; 0 where one does not vary.
  private static func correlation(_ first: [Double], _ second: [Double]) -> Double {
    let (meanOfFirst, meanOfSecond) = (first.mean, second.mean)
    var (product, squares, otherSquares) = (0.0, 0.0, 0.0)
    for (a, b) in zip(first, second) {
      product += (a - meanOfFirst) * (b - meanOfSecond)
      squares += (a - meanOfFirst) * (a - meanOfFirst)
      otherSquares += (b - meanOfSecond) * (b - meanOfSecond)
    }
    let scale = (squares * otherSquares).squareRoot()
    return scale > 0 ? max(-1, min(1, product / scale)) : 0
  }
}
