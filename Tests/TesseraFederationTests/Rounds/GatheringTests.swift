import TesseraFederation
import Testing

@Suite struct GatheringTests {
  static let sites = (0..<4).map {
    Site(index: $0, name: "site-\($0 + 1)", exampleCount: 1)
  }

  private func reason(_ actions: [Gathering.Action]) -> String? {
    for case .abandon(let reason) in actions { return reason }
    return nil
  }

  @Test func itIsOverWhenAllHaveAnswered() {
    var gathering = Gathering(for: Self.sites, quorum: Quorum())
    #expect(gathering.start().isEmpty)
    for site in [3, 0, 2] { #expect(gathering.handle(.accepted(site: site)).isEmpty) }
    #expect(gathering.handle(.accepted(site: 1)) == [.finish])
    #expect(gathering.handle(.accepted(site: 1)).isEmpty)
    #expect(gathering.handle(.closed).isEmpty)
  }

  @Test func aSiteThatAnswersTwiceCountsOnce() {
    var gathering = Gathering(for: Self.sites, quorum: Quorum(minimum: 4))
    for _ in 0..<4 { #expect(gathering.handle(.accepted(site: 0)).isEmpty) }
    #expect(gathering.handle(.accepted(site: 9)).isEmpty)
    #expect(!gathering.isWaiting(for: 0))
    #expect(gathering.isWaiting(for: 1))
  }

  @Test func itIsAbandonedAsSoonAsTheMinimumIsOutOfReach() {
    var gathering = Gathering(for: Self.sites, quorum: Quorum(minimum: 3))
    #expect(gathering.handle(.refused(site: 2, reason: "site-3: not finite")).isEmpty)
    let actions = gathering.handle(.refused(site: 0, reason: "site-1: gone"))
    let reason = reason(actions)
    #expect(reason?.hasPrefix("0 of 4 sites gave a usable answer, 3 are needed") == true)
    #expect(reason?.hasSuffix("; site-1: gone; site-3: not finite") == true)
  }

  @Test func aMandatorySiteThatFailsAbandonsIt() {
    var gathering = Gathering(for: Self.sites, quorum: Quorum(mandatory: ["site-2"]))
    _ = gathering.handle(.accepted(site: 0))
    let actions = gathering.handle(.refused(site: 1, reason: "site-2: gone"))
    #expect(reason(actions)?.hasPrefix("the mandatory site site-2") == true)
  }

  @Test func theOthersAreWaitedForSoLongAfterTheMinimum() {
    let quorum = Quorum(minimum: 2, waitAfterMinimum: .seconds(5))
    var gathering = Gathering(for: Self.sites, quorum: quorum)
    #expect(gathering.handle(.accepted(site: 0), at: .seconds(1)).isEmpty)
    #expect(gathering.handle(.accepted(site: 1), at: .seconds(2)) == [.wake(at: .seconds(7))])
    #expect(gathering.handle(.accepted(site: 2), at: .seconds(3)).isEmpty)
    let late = Gathering.Action.giveUp(site: 3, reason: "site-4: it was not waited for any longer")
    #expect(gathering.handle(.woke, at: .seconds(7)) == [late, .finish])
  }

  @Test func theWaitAfterTheMinimumBeginsWithTheLastMandatorySite() {
    let quorum = Quorum(minimum: 1, mandatory: ["site-4"], waitAfterMinimum: .seconds(5))
    var gathering = Gathering(for: Self.sites, quorum: quorum)
    #expect(gathering.handle(.accepted(site: 0), at: .seconds(1)).isEmpty)
    #expect(gathering.handle(.accepted(site: 3), at: .seconds(9)) == [.wake(at: .seconds(14))])
  }

  @Test func progressResetsTheClock() {
    let quorum = Quorum(patience: .seconds(10))
    var gathering = Gathering(for: Array(Self.sites.prefix(2)), quorum: quorum)
    #expect(gathering.start() == [.wake(at: .seconds(10))])
    #expect(gathering.handle(.progressed(site: 0), at: .seconds(6)).isEmpty)
    let actions = gathering.handle(.woke, at: .seconds(10))
    #expect(
      actions == [
        .giveUp(site: 1, reason: "site-2: no sign of progress for 10.0 seconds"),
        .wake(at: .seconds(16)),
      ]
    )
    #expect(!gathering.isWaiting(for: 1))
    #expect(gathering.handle(.accepted(site: 0), at: .seconds(12)) == [.finish])
  }

  @Test func whatHasNotAnsweredWhenTheTransportReturnsIsGivenUp() {
    var gathering = Gathering(for: Self.sites, quorum: Quorum(minimum: 2))
    _ = gathering.handle(.accepted(site: 0))
    _ = gathering.handle(.accepted(site: 1))
    let actions = gathering.handle(.closed)
    #expect(actions.last == .finish)
    #expect(actions.count == 3)
  }

  @Test func inAnyOrderOfAnswersTheOutcomeIsTheSame() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
      var gathering = Gathering(for: Self.sites, quorum: Quorum(minimum: 3))
      var last: [Gathering.Action] = []
      for site in order {
        last = gathering.handle(
          site == 2 ? .refused(site: 2, reason: "site-3: gone") : .accepted(site: site)
        )
      }
      #expect(last == [.finish])
    }
  }
}
