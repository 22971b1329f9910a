import TesseraFederation
import Testing

@Suite struct RuleLawTests {
  @Test func theMeanKeepsTheLaws() throws { try expectRuleLaws(.weightedMean) }
  @Test func theMedianKeepsTheLaws() throws { try expectRuleLaws(.median) }
  @Test func theTrimmedMeanKeepsTheLaws() throws { try expectRuleLaws(.trimmedMean(0.2)) }
  @Test func krumKeepsTheLaws() throws { try expectRuleLaws(.krum(byzantine: 3)) }
  @Test func multiKrumKeepsTheLaws() throws {
    try expectRuleLaws(.multiKrum(byzantine: 2, keeping: 6))
  }
  @Test func bulyanKeepsTheLaws() throws { try expectRuleLaws(.bulyan(byzantine: 2)) }
  @Test func theGeometricMedianKeepsTheLaws() throws { try expectRuleLaws(.geometricMedian()) }
  @Test func theBoundedMeanKeepsTheLaws() throws {
    try expectRuleLaws(.normBound(2), keeping: [.translation, .unanimity, .anonymity])
    try expectRuleLaws(.normBound(timesNormOfModel: 0.5), keeping: [.unanimity, .anonymity])
  }
}
