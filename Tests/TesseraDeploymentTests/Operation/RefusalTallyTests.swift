import TesseraDeployment
import Testing

/// However often somebody is refused, few lines tell of it, and the first always.
@Suite struct RefusalTallyTests {
  @Test func linesOfAPeerBecomeRarer() {
    var tally = RefusalTally()
    let told = (1...1000).compactMap { _ in tally.note("10.0.0.9") }
    #expect(told == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    #expect(tally.note("10.0.0.10") == 1)
  }

  @Test func anHourLaterItIsTheFirstTimeAgain() {
    var tally = RefusalTally(peers: 2)
    let start = ContinuousClock.now
    for peer in 1...100 { _ = tally.note("peer \(peer)", at: start) }
    #expect(tally.note("new", at: start + .seconds(3599)) == nil)
    #expect(tally.note("new", at: start + .seconds(3600)) == 1)
    #expect(tally.note("peer 1", at: start + .seconds(3601)) == 1)
    #expect(tally.note("peer 1", at: start + .seconds(3602)) == 2)
    #expect(tally.note("peer 1", at: start + .seconds(3603)) == nil)
  }

  @Test func manyPeersAreCountedTogether() {
    var tally = RefusalTally(peers: 4)
    let told = (1...1000).compactMap { tally.note("peer \($0)") }
    // Four of their own, and of the 996 others together ten.
    #expect(told == [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    // Who was known before is still told apart.
    #expect(tally.note("peer 1") == 2)
  }
}
