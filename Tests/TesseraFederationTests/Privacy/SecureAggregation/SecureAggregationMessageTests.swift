import Foundation
import TesseraCore
import TesseraFederation
import Testing

@Suite struct SecureAggregationMessageTests {
  typealias Simulation = SecureAggregationSimulation

  static func sorted() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return encoder
  }

  @Test func messagesSurviveTheWire() throws {
    for signed in [false, true] {
      var simulation = try Simulation(sites: 4, threshold: 3, signed: signed)
      simulation.dropouts = [2: .maskVector]
      simulation.changeRequest = { _, request in
        try? JSONDecoder().decode(
          SecureAggregationRequest.self,
          from: Self.sorted().encode(request)
        )
      }
      simulation.changeAnswer = { _, answer in
        try? JSONDecoder().decode(SecureAggregationAnswer.self, from: Self.sorted().encode(answer))
      }
      guard case .sum(let sum) = try simulation.run() else {
        Issue.record("there is no sum")
        continue
      }
      #expect(sum.elements == simulation.sum(of: [0, 1, 3]))
    }
  }

  @Test func theElementsOfAVectorAreBytesOnTheWire() throws {
    let vector = MaskedVector(elements: [1, 0x0807_0605_0403_0201])
    let text = String(decoding: try JSONEncoder().encode([vector]), as: UTF8.self)
    let bytes: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    #expect(text.filter { $0 != "\\" } == "[\"\(Data(bytes).base64EncodedString())\"]")
    let short = Data("[\"\(Data(bytes.prefix(15)).base64EncodedString())\"]".utf8)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([MaskedVector].self, from: short)
    }
  }

  /// Whatever is changed on the way, the round ends, with a sum or without one, and nothing traps.
  @Test(arguments: [false, true]) func mutatedMessagesEndTheRoundInOrder(signed: Bool) throws {
    var unread = 0
    var refused = 0
    var sums = 0
    for number in 0..<100 {
      let key = RandomKey(seed: 21)[number]
      var numbers = KeyedRandomNumbers(key: key)
      let victim = Int.random(in: 0..<4, using: &numbers)
      var countdown = Int.random(in: 0..<(signed ? 10 : 8), using: &numbers)
      var simulation = try Simulation(sites: 4, threshold: 3, signed: signed)
      if number.isMultiple(of: 3) { simulation.dropouts[(victim + 1) % 4] = .maskVector }
      func damaged<Message: Codable>(_ site: Int, _ message: Message) -> Message? {
        guard site == victim else { return message }
        countdown -= 1
        guard countdown == -1, var bytes = try? [UInt8](Self.sorted().encode(message)) else {
          return message
        }
        for _ in 0..<Int.random(in: 1...3, using: &numbers) {
          let place = Int.random(in: 0..<bytes.count, using: &numbers)
          // Most of a message is text of one kind; digits and letters keep it readable.
          bytes[place] =
            [UInt8]("0123456789ABCabc-[]{},".utf8)
            .randomElement(using: &numbers) ?? 48
        }
        guard let read = try? JSONDecoder().decode(Message.self, from: Data(bytes)) else {
          unread += 1
          return nil
        }
        return read
      }
      simulation.changeRequest = { damaged($0, $1) }
      simulation.changeAnswer = { damaged($0, $1) }
      if case .sum = try simulation.run() { sums += 1 }
      refused += simulation.refusals.count + simulation.rejections.count
    }
    #expect(unread > 0)
    #expect(refused > 0)
    #expect(sums > 0)
  }

  @Test func answersOfAnotherSizeAreRejectedByTheServer() throws {
    func expectRejection(
      _ reason: String,
      dropouts: [Int: SecureAggregationServer.Phase] = [:],
      _ change: @escaping (SecureAggregationAnswer) -> SecureAggregationAnswer,
      sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
      var simulation = try Simulation(sites: 5, threshold: 3)
      simulation.dropouts = dropouts
      simulation.changeAnswer = { $0 == 1 ? change($1) : $1 }
      guard case .sum(let sum) = try simulation.run() else {
        Issue.record("there is no sum", sourceLocation: sourceLocation)
        return
      }
      // The others' sum is right all the same.
      #expect(
        sum.elements == simulation.sum(of: sum.contributors),
        sourceLocation: sourceLocation
      )
      #expect(
        simulation.rejections.contains { $0.site == 1 && $0.reason.contains(reason) },
        "\(simulation.rejections)",
        sourceLocation: sourceLocation
      )
      #expect(sum.dropouts.contains { $0.site == 1 }, sourceLocation: sourceLocation)
    }
    func keys(
      _ change: @escaping (inout AdvertisedKeys) -> Void
    ) -> (SecureAggregationAnswer) -> SecureAggregationAnswer {
      { answer in
        guard case .keys(var keys) = answer else { return answer }
        change(&keys)
        return .keys(keys)
      }
    }
    try expectRejection("not one of X25519", keys { $0.cipherKey.removeLast() })
    try expectRejection("not one of X25519", keys { $0.maskKey = Data(count: 32) })
    try expectRejection("one key for two purposes", keys { $0.maskKey = $0.cipherKey })
    func shares(
      _ change: @escaping (inout EncryptedShares) -> Void
    ) -> (SecureAggregationAnswer) -> SecureAggregationAnswer {
      { answer in
        guard case .shares(var shares) = answer else { return answer }
        change(&shares)
        return .shares(shares)
      }
    }
    try expectRejection("not one for each neighbour", shares { $0.shares.removeLast() })
    try expectRejection("not one for each neighbour", shares { $0.shares.swapAt(0, 1) })
    try expectRejection("another size", shares { $0.shares[0].bytes.append(0) })
    try expectRejection("another size", shares { $0.commitment = Data() })
    func unmasking(
      _ change: @escaping (inout UnmaskingShares) -> Void
    ) -> (SecureAggregationAnswer) -> SecureAggregationAnswer {
      { answer in
        guard case .unmasking(var shares) = answer else { return answer }
        change(&shares)
        return .unmasking(shares)
      }
    }
    try expectRejection("not one for each", unmasking { $0.selfMaskShares.removeFirst() })
    try expectRejection("of another size", unmasking { $0.selfMaskShares[2].bytes = Data() })
    try expectRejection(
      "not one for each",
      dropouts: [4: .maskVector],
      unmasking { $0.maskKeyShares = [] }
    )
    try expectRejection("a vector of 6 elements where 5") { answer in
      guard case .masked(var vector) = answer else { return answer }
      vector.elements.append(1)
      return .masked(vector)
    }
    try expectRejection("another question") { answer in
      guard case .masked = answer else { return answer }
      return .confirmation(Data(count: 64))
    }
  }

  @Test func aKeyOfAnotherSiteIsRejected() throws {
    let simulation = try Simulation(sites: 3, threshold: 2)
    var server = SecureAggregationServer(
      configuration: simulation.configuration,
      graphKey: RandomKey(seed: 1)
    )
    _ = server.handle(.started)
    var client = try SecureAggregationClient(site: 0, configuration: simulation.configuration)
    let answer = try client.answer(.advertiseKeys(simulation.configuration)) { [] }
    _ = server.handle(.answered(site: 0, answer))
    guard case .reject(1, let reason) = server.handle(.answered(site: 1, answer)).first else {
      Issue.record("the key was accepted twice")
      return
    }
    #expect(reason.contains("another site has sent"))
  }
}
