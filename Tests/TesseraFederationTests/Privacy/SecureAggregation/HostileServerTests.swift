import Crypto
import Foundation
import TesseraCore
import TesseraFederation
import Testing

/// What a site refuses to a server that breaks the rules.
@Suite struct HostileServerTests {
  typealias Simulation = SecureAggregationSimulation

  /// Expects that site 0 refuses a changed request, with a reason, and answers nothing after it.
  func expectRefusal(
    _ reason: String,
    sites: Int = 6,
    degree: Int? = nil,
    threshold: Int = 4,
    signed: Bool = false,
    dropouts: [Int: SecureAggregationServer.Phase] = [:],
    sourceLocation: SourceLocation = #_sourceLocation,
    _ change: @escaping (SecureAggregationRequest) -> SecureAggregationRequest
  ) throws {
    var simulation = try Simulation(
      sites: sites,
      degree: degree,
      threshold: threshold,
      signed: signed
    )
    simulation.dropouts = dropouts
    simulation.changeRequest = { $0 == 0 ? change($1) : $1 }
    _ = try simulation.run()
    let refusal = simulation.refusals.first { $0.site == 0 }?.error
    #expect(refusal?.code == .protocolViolation, sourceLocation: sourceLocation)
    #expect(
      refusal?.message.contains(reason) ?? false,
      "\(refusal?.message ?? "no refusal")",
      sourceLocation: sourceLocation
    )
    // From then on even the honest requests are refused.
    for (_, request) in simulation.requests where refusal != nil {
      #expect(throws: FederationError.self, sourceLocation: sourceLocation) {
        _ = try simulation.clients[0]?.answer(request) { simulation.vectors[0] ?? [] }
      }
    }
  }

  static func changingNeighbours(
    _ change: @escaping (inout [NeighbourKeys.Entry]) -> Void
  ) -> (SecureAggregationRequest) -> SecureAggregationRequest {
    { request in
      guard case .shareKeys(var message) = request else { return request }
      change(&message.neighbours)
      return .shareKeys(message)
    }
  }

  static func changingShares(
    _ change: @escaping (inout [SiteBytes]) -> Void
  ) -> (SecureAggregationRequest) -> SecureAggregationRequest {
    { request in
      guard case .maskVector(var message) = request else { return request }
      change(&message.shares)
      return .maskVector(message)
    }
  }

  static func changingUnmasking(
    _ change: @escaping (inout UnmaskingRequest) -> Void
  ) -> (SecureAggregationRequest) -> SecureAggregationRequest {
    { request in
      guard case .unmask(var message) = request else { return request }
      change(&message)
      return .unmask(message)
    }
  }

  @Test func anotherConfigurationIsRefused() throws {
    let other = try SecureAggregationConfiguration(
      session: "other",
      round: 4,
      sites: Array(0..<6),
      degree: 5,
      threshold: 4,
      vectorLength: 5
    )
    try expectRefusal("another configuration") { request in
      guard case .advertiseKeys = request else { return request }
      return .advertiseKeys(other)
    }
  }

  @Test func neighboursThatCannotBeAreRefused() throws {
    try expectRefusal("named twice", Self.changingNeighbours { $0[1] = $0[0] })
    try expectRefusal("unknown", Self.changingNeighbours { $0[4].site = 99 })
    try expectRefusal("the site itself", Self.changingNeighbours { $0[0].site = 0 })
    try expectRefusal("named twice", Self.changingNeighbours { $0.swapAt(0, 1) })
    try expectRefusal("2 neighbours where", Self.changingNeighbours { $0 = Array($0.prefix(2)) })
    try expectRefusal(
      "5 neighbours where",
      degree: 4,
      threshold: 3,
      { request in
        guard case .shareKeys(let message) = request else { return request }
        let keys = message.neighbours[0].keys
        return .shareKeys(
          NeighbourKeys(neighbours: (1...5).map { NeighbourKeys.Entry(site: $0, keys: keys) })
        )
      }
    )
  }

  @Test func keysThatCannotBeAreRefused() throws {
    try expectRefusal("comes twice", Self.changingNeighbours { $0[1].keys = $0[0].keys })
    try expectRefusal("another size", Self.changingNeighbours { $0[1].keys.maskKey.removeLast() })
    try expectRefusal("another size", Self.changingNeighbours { $0[1].keys.cipherKey = Data() })
    // An agreement with a point of small order has no secret.
    for point in Self.pointsOfSmallOrder {
      try expectRefusal("cannot be used", Self.changingNeighbours { $0[1].keys.cipherKey = point })
      try expectRefusal("cannot be used", Self.changingNeighbours { $0[1].keys.maskKey = point })
    }
  }

  @Test func theServerDropsASiteWhoseKeyHasSmallOrder() throws {
    for point in Self.pointsOfSmallOrder {
      for isMaskKey in [false, true] {
        var simulation = try Simulation(sites: 5, threshold: 3)
        simulation.changeAnswer = { site, answer in
          guard site == 2, case .keys(var keys) = answer else { return answer }
          if isMaskKey { keys.maskKey = point } else { keys.cipherKey = point }
          return .keys(keys)
        }
        guard case .sum(let sum) = try simulation.run() else {
          Issue.record("there is no sum")
          continue
        }
        #expect(sum.contributors == [0, 1, 3, 4])
        #expect(sum.elements == simulation.sum(of: [0, 1, 3, 4]))
        #expect(simulation.rejections.contains { $0.site == 2 && $0.reason.contains("X25519") })
      }
    }
  }

  @Test func theServerPassesNoSignaturesOnThatNobodyReads() throws {
    for signed in [false, true] {
      var simulation = try Simulation(sites: 5, threshold: 3, signed: signed)
      simulation.changeAnswer = { site, answer in
        guard site == 2, case .keys(var keys) = answer else { return answer }
        keys.signature += Data(count: 1 << 20)
        return .keys(keys)
      }
      guard case .sum(let sum) = try simulation.run() else {
        Issue.record("there is no sum")
        continue
      }
      #expect(sum.contributors == [0, 1, 3, 4])
      #expect(simulation.rejections.contains { $0.site == 2 && $0.reason.contains("signature") })
    }
  }

  /// 0, 1, the two of order 8, and p - 1, p and p + 1, the lowest byte first.
  static let pointsOfSmallOrder: [Data] = {
    func ending(_ first: UInt8) -> Data {
      Data([first] + [UInt8](repeating: 0xff, count: 30) + [0x7f])
    }
    let orderEight: [[UInt8]] = [
      [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a,
        0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8,
        0x00,
      ],
      [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b,
        0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11,
        0x57,
      ],
    ]
    return [Data(count: 32), Data([1]) + Data(count: 31)] + orderEight.map { Data($0) }
      + [ending(0xec), ending(0xed), ending(0xee)]
  }()

  @Test func aMaskKeyWithoutASecretIsRefusedBeforeTheVectorLeaves() throws {
    var simulation = try Simulation(sites: 4, threshold: 3)
    simulation.changeRequest = { site, request in
      site == 0
        ? Self.changingNeighbours { $0[1].keys.maskKey = Data(count: 32) }(request) : request
    }
    _ = try simulation.run()
    #expect(simulation.refusals.contains { $0.site == 0 && $0.error.code == .protocolViolation })
    #expect(
      !simulation.answers.contains {
        if case .masked = $0.answer { $0.site == 0 } else { false }
      }
    )
  }

  @Test func deliveriesThatCannotBeAreRefused() throws {
    try expectRefusal("twice from one", Self.changingShares { $0[1] = $0[0] })
    try expectRefusal("no neighbour", Self.changingShares { $0[4].site = 77 })
    try expectRefusal("shares from 2 neighbours", Self.changingShares { $0 = Array($0.prefix(2)) })
    try expectRefusal("site 1 do not decrypt", Self.changingShares { $0[0].bytes[7] ^= 4 })
    try expectRefusal("site 1 do not decrypt", Self.changingShares { $0[0].bytes.removeLast() })
    try expectRefusal("site 1 do not decrypt", Self.changingShares { $0[0].bytes = Data() })
    // Whose shares they are is sealed with them.
    try expectRefusal(
      "site 1 do not decrypt",
      Self.changingShares { shares in
        let bytes = shares[0].bytes
        shares[0].bytes = shares[1].bytes
        shares[1].bytes = bytes
      }
    )
  }

  @Test func unmaskingRequestsThatCannotBeAreRefused() throws {
    let gone: [Int: SecureAggregationServer.Phase] = [5: .maskVector]
    func refuse(_ reason: String, _ change: @escaping (inout UnmaskingRequest) -> Void) throws {
      try expectRefusal(reason, dropouts: gone, Self.changingUnmasking(change))
    }
    // Both secrets of one peer.
    try refuse("dropped out are not those") { $0.dropped = [4, 5] }
    try refuse("dropped out are not those") { $0.survivors = Array(0...5) }
    try refuse("dropped out are not those") { $0.survivors.removeLast() }
    // Neither of them.
    try refuse("dropped out are not those") { $0.dropped = [] }
    try refuse("dropped out are not those") { $0.dropped = [5, 5] }
    try refuse("3 survivors where 4 are needed") {
      $0.survivors = [0, 1, 2]
      $0.dropped = [3, 4, 5]
    }
    try refuse("named twice") { $0.survivors = [0, 1, 2, 3, 3] }
    try refuse("named twice") { $0.survivors = [1, 0, 2, 3, 4] }
    try refuse("unknown") { $0.survivors = [0, 1, 2, 3, 4, 99] }
    try refuse("this site is missing") { $0.survivors = [1, 2, 3, 4] }
  }

  @Test func survivorsWithoutSharesAreRefused() throws {
    try expectRefusal(
      "sites [5] cannot have survived",
      dropouts: [5: .shareKeys],
      Self.changingUnmasking({ $0.survivors = Array(0...5) })
    )
    // Far survivors cannot be checked in a regular graph, but too few in the neighbourhood can.
    try expectRefusal(
      "survivors in the neighbourhood where",
      sites: 14,
      degree: 4,
      threshold: 4,
      Self.changingUnmasking({ request in
        request.survivors = [0] + (1...13).filter { $0.isMultiple(of: 3) }
      })
    )
  }

  @Test func aSecondUnmaskingRequestIsRefused() throws {
    var simulation = try Simulation(sites: 5, threshold: 3)
    guard case .sum = try simulation.run() else {
      Issue.record("there is no sum")
      return
    }
    // The other share of site 4, as if it had dropped out after all.
    let request = UnmaskingRequest(survivors: [0, 1, 2, 3], dropped: [4])
    let error = #expect(throws: FederationError.self) {
      _ = try simulation.clients[0]?.answer(.unmask(request)) { [] }
    }
    #expect(error?.message.contains("answered already") ?? false)
  }

  @Test func requestsOutOfTurnAreRefused() throws {
    let configuration = try Simulation(sites: 3, threshold: 2).configuration
    let requests: [SecureAggregationRequest] = [
      .shareKeys(NeighbourKeys(neighbours: [])), .maskVector(DeliveredShares(shares: [])),
      .confirmSurvivors(SurvivorList(survivors: [])),
      .unmask(UnmaskingRequest(survivors: [], dropped: [])),
    ]
    for request in requests {
      var client = try SecureAggregationClient(site: 0, configuration: configuration)
      #expect(throws: FederationError.self) { _ = try client.answer(request) { [] } }
      #expect(throws: FederationError.self) {
        _ = try client.answer(.advertiseKeys(configuration)) { [] }
      }
    }
    // A list to sign in a round that is not signed.
    try expectRefusal("not signed") { request in
      guard case .unmask(let message) = request else { return request }
      return .confirmSurvivors(SurvivorList(survivors: message.survivors))
    }
  }

  @Test func aVectorOfAnotherLengthIsRefusedAndCanBeSentAgain() throws {
    var simulation = try Simulation(sites: 3, threshold: 2)
    simulation.dropouts = [0: .maskVector, 1: .maskVector]
    _ = try simulation.run()
    let asked = simulation.requests.first {
      if case .maskVector = $0.request { $0.site == 0 } else { false }
    }
    let request = try #require(asked?.request)
    var client = try #require(simulation.clients[0])
    let error = #expect(throws: FederationError.self) { _ = try client.answer(request) { [1] } }
    #expect(error?.message.contains("a vector of 1 elements where 5 were agreed") ?? false)
    #expect(throws: Never.self) { _ = try client.answer(request) { [1, 2, 3, 4, 5] } }
  }

  @Test func forgedKeysAndListsAreRefusedInSignedRounds() throws {
    let forged = Curve25519.KeyAgreement.PrivateKey().publicKey.rawRepresentation
    try expectRefusal(
      "keys of site 1 are not signed",
      signed: true,
      Self.changingNeighbours { $0[0].keys.maskKey = forged }
    )
    try expectRefusal(
      "another list of survivors",
      signed: true,
      Self.changingUnmasking({ request in
        request.survivors.removeLast()
        request.dropped = [5]
      })
    )
    try expectRefusal(
      "2 neighbours signed",
      signed: true,
      Self.changingUnmasking({ $0.confirmations = Array($0.confirmations.prefix(2)) })
    )
    try expectRefusal(
      "site 1 did not sign",
      signed: true,
      Self.changingUnmasking({ $0.confirmations[0].bytes = $0.confirmations[1].bytes })
    )
    try expectRefusal(
      "two by one",
      signed: true,
      Self.changingUnmasking({ $0.confirmations[1] = $0.confirmations[0] })
    )
    try expectRefusal("out of turn", signed: true) { request in
      guard case .confirmSurvivors(let list) = request else { return request }
      return .shareKeys(
        NeighbourKeys(
          neighbours: list.survivors.map { site in
            NeighbourKeys.Entry(
              site: site,
              keys: AdvertisedKeys(cipherKey: forged, maskKey: forged)
            )
          }
        )
      )
    }
  }

  @Test func theServerDropsASiteThatSignsWrongly() throws {
    var simulation = try Simulation(sites: 5, threshold: 3, signed: true)
    simulation.changeAnswer = { site, answer in
      guard site == 1, case .keys(var keys) = answer else { return answer }
      keys.signature[0] ^= 1
      return .keys(keys)
    }
    guard case .sum(let sum) = try simulation.run() else {
      Issue.record("there is no sum")
      return
    }
    #expect(sum.contributors == [0, 2, 3, 4])
    #expect(simulation.rejections.contains { $0.site == 1 && $0.reason.contains("signature") })
    #expect(simulation.refusals.isEmpty)
  }
}
