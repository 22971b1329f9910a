import TesseraCore
import TesseraFederation
import Testing

@Suite struct FedAvgTests {
  let key = RandomKey(seed: 1)

  @Test func aRoundAsksAllSitesAndAggregatesWhenAllHaveAnswered() throws {
    var workflow = try FedAvg(rounds: 2, sites: 3, key: key)
    #expect(workflow.handle(.started(afterRound: 0)) == [.ask(sites: [0, 1, 2], round: 1)])
    #expect(workflow.handle(.accepted(site: 2, weight: 1)).isEmpty)
    #expect(workflow.handle(.accepted(site: 0, weight: 1)).isEmpty)
    #expect(workflow.handle(.accepted(site: 1, weight: 1)) == [.aggregate(round: 1)])
    #expect(workflow.handle(.evaluated(accuracy: 0.5)) == [.ask(sites: [0, 1, 2], round: 2)])
  }

  @Test func theRunEndsAfterItsLastRound() throws {
    var workflow = try FedAvg(rounds: 1, sites: 1, key: key)
    _ = workflow.handle(.started(afterRound: 0))
    _ = workflow.handle(.accepted(site: 0, weight: 1))
    #expect(workflow.handle(.evaluated(accuracy: 0.5)) == [.finish(.allRounds)])
    #expect(workflow.handle(.evaluated(accuracy: 0.5)).isEmpty)
  }

  @Test func theRunEndsEarlyAtItsTarget() throws {
    var workflow = try FedAvg(rounds: 9, sites: 1, targetAccuracy: 0.8, key: key)
    _ = workflow.handle(.started(afterRound: 0))
    _ = workflow.handle(.accepted(site: 0, weight: 1))
    #expect(workflow.handle(.evaluated(accuracy: 0.8)) == [.finish(.targetReached)])
  }

  @Test func aRunGoesOnAfterTheRoundsThatAreDone() throws {
    var workflow = try FedAvg(rounds: 5, sites: 1, key: key)
    #expect(workflow.handle(.started(afterRound: 3)) == [.ask(sites: [0], round: 4)])
    var finished = try FedAvg(rounds: 5, sites: 1, key: key)
    #expect(finished.handle(.started(afterRound: 5)) == [.finish(.allRounds)])
  }

  @Test func aRefusedSiteDoesNotStopTheRound() throws {
    var workflow = try FedAvg(rounds: 1, sites: 2, key: key)
    _ = workflow.handle(.started(afterRound: 0))
    _ = workflow.handle(.rejected(site: 0, reason: "site-1: not finite"))
    #expect(workflow.handle(.accepted(site: 1, weight: 1)) == [.aggregate(round: 1)])
  }

  @Test func fewerSitesThanTheMinimumAbandonTheRoundAndSayWhy() throws {
    var workflow = try FedAvg(rounds: 1, sites: 2, minimumSites: 2, key: key)
    _ = workflow.handle(.started(afterRound: 0))
    _ = workflow.handle(.accepted(site: 1, weight: 1))
    let actions = workflow.handle(.rejected(site: 0, reason: "site-1: not finite"))
    guard case .abandon(1, let reason) = actions.first else {
      Issue.record("expected the round to be abandoned, got \(actions)")
      return
    }
    #expect(reason.contains("1 of 2 sites"))
    #expect(reason.contains("site-1: not finite"))
  }

  @Test func theDeadlineEndsTheWaitForSitesThatAreSilent() throws {
    var workflow = try FedAvg(rounds: 1, sites: 3, key: key)
    _ = workflow.handle(.started(afterRound: 0))
    _ = workflow.handle(.accepted(site: 1, weight: 1))
    #expect(workflow.handle(.deadlinePassed) == [.aggregate(round: 1)])
    #expect(workflow.handle(.accepted(site: 2, weight: 1)).isEmpty, "too late")
  }

  @Test func aSiteThatAnswersTwiceCountsOnce() throws {
    var workflow = try FedAvg(rounds: 1, sites: 2, key: key)
    _ = workflow.handle(.started(afterRound: 0))
    _ = workflow.handle(.accepted(site: 0, weight: 1))
    #expect(workflow.handle(.accepted(site: 0, weight: 1)).isEmpty)
  }

  @Test func eventsOutOfPlaceChangeNothing() throws {
    var workflow = try FedAvg(rounds: 1, sites: 1, key: key)
    for event in [
      WorkflowEvent.accepted(site: 0, weight: 1), .rejected(site: 0, reason: ""), .deadlinePassed,
      .evaluated(accuracy: 1),
    ] {
      #expect(workflow.handle(event).isEmpty)
    }
    #expect(workflow.handle(.started(afterRound: 0)) == [.ask(sites: [0], round: 1)])
    #expect(workflow.handle(.started(afterRound: 0)).isEmpty)
    #expect(workflow.handle(.evaluated(accuracy: 1)).isEmpty)
  }

  @Test func aFractionOfTheSitesIsDrawnAnewEachRound() throws {
    func asked(_ seed: UInt64) throws -> [[Int]] {
      var workflow = try FedAvg(rounds: 20, sites: 10, fraction: 0.3, key: RandomKey(seed: seed))
      var draws: [[Int]] = []
      var actions = workflow.handle(.started(afterRound: 0))
      while case .ask(let sites, _) = actions.first {
        draws.append(sites)
        for site in sites { _ = workflow.handle(.accepted(site: site, weight: 1)) }
        actions = workflow.handle(.evaluated(accuracy: 0))
      }
      return draws
    }
    let draws = try asked(1)
    #expect(draws.count == 20)
    #expect(draws.allSatisfy { $0.count == 3 && Set($0).count == 3 && $0 == $0.sorted() })
    #expect(Set(draws).count > 10)
    #expect(Set(draws.joined()) == Set(0..<10))
    #expect(try asked(1) == draws)
    #expect(try asked(2) != draws)
  }

  @Test(arguments: [
    (0, 8, 1.0, 1), (1, 0, 1.0, 1), (1, 8, 0.0, 1), (1, 8, 1.1, 1), (1, 8, 0.5, 5), (1, 8, 1.0, 0),
  ])
  func settingsOutsideWhatIsAllowedAreRefused(
    rounds: Int,
    sites: Int,
    fraction: Double,
    minimum: Int
  ) {
    #expect(throws: FederationError.self) {
      try FedAvg(
        rounds: rounds,
        sites: sites,
        fraction: fraction,
        minimumSites: minimum,
        key: key
      )
    }
  }
}
