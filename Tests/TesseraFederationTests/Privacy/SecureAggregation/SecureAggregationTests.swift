import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct SecureAggregationTests {
  typealias Phase = SecureAggregationServer.Phase
  typealias Simulation = SecureAggregationSimulation

  /// All ways to give `count` sites one of the fates, but for the order of the sites.
  static func fates(_ count: Int, from kinds: ArraySlice<Phase?>) -> [[Phase?]] {
    guard count > 0, let first = kinds.first else { return count == 0 ? [[]] : [] }
    return fates(count - 1, from: kinds).map { [first] + $0 }
      + fates(count, from: kinds.dropFirst())
  }

  /// Every pattern of drop-outs of some sites up to their names, which are drawn.
  func checkEveryPattern(_ sites: Int, _ kinds: [Phase?], signed: Bool) throws {
    let threshold = 3
    var finished = 0
    for (number, fates) in Self.fates(sites, from: kinds[...]).enumerated() {
      var simulation = try Simulation(sites: sites, threshold: threshold, signed: signed)
      let key = RandomKey(seed: 11)[number]
      var numbers = KeyedRandomNumbers(key: key)
      for (site, fate) in fates.shuffled(using: &numbers).enumerated() {
        simulation.dropouts[site] = fate
      }
      simulation.order = key["order"]
      simulation.manner = number.isMultiple(of: 2) ? .says : .staysSilent
      let outcome = try simulation.run()
      // In a complete graph, as many must be there to the end as the threshold says.
      if fates.count(where: { $0 == nil }) >= threshold {
        let contributors = (0..<sites).filter {
          let fate = simulation.dropouts[$0]
          return fate == nil || fate == .unmask || fate == .confirmSurvivors
        }
        guard case .sum(let sum) = outcome else {
          Issue.record("\(simulation.dropouts): \(outcome)")
          continue
        }
        #expect(sum.elements == simulation.sum(of: contributors))
        #expect(sum.contributors == contributors)
        #expect(
          Dictionary(uniqueKeysWithValues: sum.dropouts.map { ($0.site, $0.phase) })
            == simulation.dropouts
        )
        finished += 1
      } else {
        guard case .abandoned = outcome else {
          Issue.record("\(simulation.dropouts): a sum where too few were there to the end")
          continue
        }
      }
      #expect(simulation.refusals.isEmpty)
    }
    #expect(finished > 0)
  }

  @Test func sumsAreExactForEveryPatternOfDropoutsInACompleteGraph() throws {
    try checkEveryPattern(
      5,
      [nil, .advertiseKeys, .shareKeys, .maskVector, .unmask],
      signed: false
    )
  }

  @Test func sumsAreExactForEveryPatternOfDropoutsInSignedRounds() throws {
    try checkEveryPattern(
      4,
      [nil, .advertiseKeys, .shareKeys, .maskVector, .confirmSurvivors, .unmask],
      signed: true
    )
  }

  /// With degree 6 and threshold 4, two may drop out and everybody keeps four neighbours.
  @Test(arguments: [Phase.advertiseKeys, .shareKeys, .maskVector, .unmask])
  func sumsAreExactInARegularGraphWhereverTwoDropOut(first: Phase) throws {
    for (number, second) in [Phase.advertiseKeys, .shareKeys, .maskVector, .unmask].enumerated() {
      var simulation = try Simulation(sites: 12, degree: 6, threshold: 4)
      simulation.graphKey = RandomKey(seed: 5)[number]
      simulation.order = RandomKey(seed: 6)[number]
      simulation.dropouts = [number: first, 11 - number: second]
      let outcome = try simulation.run()
      let contributors = (0..<12).filter { [nil, .unmask].contains(simulation.dropouts[$0]) }
      guard case .sum(let sum) = outcome else {
        Issue.record("\(simulation.dropouts): \(outcome)")
        continue
      }
      #expect(sum.elements == simulation.sum(of: contributors))
      #expect(sum.contributors == contributors)
    }
  }

  @Test func inARegularGraphManyDropoutsGiveTheRightSumOrNone() throws {
    var outcomes = (sums: 0, abandoned: 0)
    for number in 0..<60 {
      var simulation = try Simulation(sites: 12, degree: 6, threshold: 4)
      let key = RandomKey(seed: 7)[number]
      var numbers = KeyedRandomNumbers(key: key)
      simulation.graphKey = key["graph"]
      simulation.order = key["order"]
      for site in Array(0..<12).shuffled(using: &numbers).prefix(2 + number % 6) {
        simulation.dropouts[site] =
          [.advertiseKeys, .shareKeys, .maskVector, .unmask].randomElement(using: &numbers)
      }
      switch try simulation.run() {
      case .sum(let sum):
        outcomes.sums += 1
        #expect(sum.elements == simulation.sum(of: sum.contributors))
        let late = sum.contributors.filter { simulation.dropouts[$0] != nil }
        #expect(late.allSatisfy { simulation.dropouts[$0] == .unmask })
      case .abandoned: outcomes.abandoned += 1
      }
      #expect(simulation.refusals.isEmpty)
    }
    #expect(outcomes.sums > 10)
    #expect(outcomes.abandoned > 0)
  }

  @Test func theOrderOfEventsChangesNothing() throws {
    var reference = try Simulation(sites: 6, threshold: 4)
    reference.dropouts = [2: .maskVector, 4: .unmask]
    guard case .sum(let expected) = try reference.run() else {
      Issue.record("there is no sum")
      return
    }
    for number in 0..<10 {
      var simulation = reference
      simulation.order = RandomKey(seed: 9)[number]
      guard case .sum(let sum) = try simulation.run() else {
        Issue.record("there is no sum")
        continue
      }
      #expect(sum.elements == expected.elements)
      #expect(sum.contributors == expected.contributors)
    }
  }

  @Test func twoSitesCanBeSummed() throws {
    var simulation = try Simulation(sites: 2, threshold: 2)
    guard case .sum(let sum) = try simulation.run() else {
      Issue.record("there is no sum")
      return
    }
    #expect(sum.elements == simulation.sum(of: [0, 1]))
  }

  @Test(arguments: [
    (Phase.advertiseKeys, "phase 'advertise keys': 2 sites gave a usable answer, 3 are needed"),
    (.shareKeys, "phase 'share keys': 2 sites gave a usable answer, 3 are needed"),
    (.maskVector, "phase 'mask vector': 2 sites gave a usable answer, 3 are needed"),
    (.unmask, "phase 'unmask': 2 sites gave a usable answer, 3 are needed"),
  ])
  func belowTheThresholdTheRoundIsAbandonedNamingPhaseAndNumbers(
    phase: Phase,
    reason: String
  ) throws {
    var simulation = try Simulation(sites: 5, threshold: 3)
    simulation.manner = .staysSilent
    for site in [0, 2, 4] { simulation.dropouts[site] = phase }
    // All silent sites are let go at once, so two are left.
    guard case .abandoned(let text) = try simulation.run() else {
      Issue.record("the round was not abandoned")
      return
    }
    #expect(text.contains(reason))
    #expect(text.contains("round 4"))
    #expect(text.contains("site 2 dropped out in '\(phase.rawValue)': no answer in time"))
  }

  @Test func aSiteWithTooFewNeighboursLeavesBeforeAnybodyMasksWithIt() throws {
    var simulation = try Simulation(sites: 12, degree: 4, threshold: 3)
    let graph = try NeighbourGraph(
      sites: Array(0..<12),
      degree: 4,
      key: simulation.graphKey["neighbours"][4]
    )
    for neighbour in graph.neighbours(of: 0).prefix(3) {
      simulation.dropouts[neighbour] = .shareKeys
    }
    switch try simulation.run() {
    case .sum(let sum):
      #expect(sum.contributors.count == 8)
      #expect(!sum.contributors.contains(0))
      #expect(sum.elements == simulation.sum(of: sum.contributors))
      #expect(
        sum.dropouts.contains { $0.site == 0 && $0.reason.contains("of its neighbours shared") }
      )
    case .abandoned(let reason): Issue.record("\(reason)")
    }
  }

  @Test func lateAndRepeatedAnswersChangeNothing() throws {
    let simulation = try Simulation(sites: 3, threshold: 2)
    var server = SecureAggregationServer(
      configuration: simulation.configuration,
      graphKey: RandomKey(seed: 1)
    )
    #expect(server.handle(.deadlinePassed).isEmpty)
    #expect(server.handle(.started).count == 3)
    #expect(server.handle(.started).isEmpty)
    var client = try SecureAggregationClient(site: 0, configuration: simulation.configuration)
    let answer = try client.answer(.advertiseKeys(simulation.configuration)) { [] }
    #expect(server.handle(.answered(site: 0, answer)).isEmpty)
    for site in [0, 17, -1] {
      guard case .reject(site, _) = server.handle(.answered(site: site, answer)).first else {
        Issue.record("an answer of site \(site) was used")
        continue
      }
    }
    #expect(server.handle(.failed(site: 0, reason: "too late")).isEmpty)
    #expect(server.pending == [1, 2])
    #expect(server.phase == .advertiseKeys)
  }

  @Test func simulationsRepeatToTheBitAndDeploymentsDoNot() throws {
    func messages(_ secrets: SecretSource) throws -> [SecureAggregationAnswer] {
      var simulation = try Simulation(sites: 3, threshold: 2)
      simulation.secrets = secrets
      _ = try simulation.run()
      return simulation.answers.map(\.answer)
    }
    let key = RandomKey(seed: 8)
    #expect(try messages(.reproducible(key)) == messages(.reproducible(key)))
    #expect(try messages(.reproducible(key)) != messages(.reproducible(RandomKey(seed: 9))))
    let (first, second) = (try messages(.system), try messages(.system))
    for (one, other) in zip(first, second) { #expect(one != other) }
  }

  @Test func oneWrongShareIsMadeUpForByTheOthers() throws {
    var simulation = try Simulation(sites: 6, threshold: 4)
    simulation.dropouts = [5: .maskVector]
    simulation.changeAnswer = { site, answer in
      guard site == 1, case .unmasking(var shares) = answer else { return answer }
      for place in shares.selfMaskShares.indices { shares.selfMaskShares[place].bytes[3] ^= 1 }
      for place in shares.maskKeyShares.indices { shares.maskKeyShares[place].bytes[3] ^= 1 }
      return .unmasking(shares)
    }
    guard case .sum(let sum) = try simulation.run() else {
      Issue.record("there is no sum")
      return
    }
    #expect(sum.elements == simulation.sum(of: 0..<5))
  }

  @Test func sharesThatDoNotFitTheCommitmentAbandonTheRoundByName() throws {
    var simulation = try Simulation(sites: 4, threshold: 3)
    simulation.changeAnswer = { site, answer in
      guard site == 2, case .shares(var shares) = answer else { return answer }
      shares.commitment[0] ^= 1
      return .shares(shares)
    }
    guard case .abandoned(let reason) = try simulation.run() else {
      Issue.record("the round was not abandoned")
      return
    }
    #expect(reason.contains("self-mask of site 2 do not fit"))
  }
}
