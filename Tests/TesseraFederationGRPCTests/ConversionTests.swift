import Foundation
import SwiftProtobuf
import TesseraCore
import TesseraFederation
import Testing

@testable import TesseraFederationGRPC

@Suite struct ConversionTests {
  private func exchange(elements: Int) throws -> Exchange {
    let model = try ModelState([
      (name: "weight", tensor: Tensor.full(0.5, shape: [elements])),
      (name: "count", tensor: Tensor([1, 2]).to(.int64)),
    ])
    var metadata = Exchange.Metadata(
      steps: 3,
      samples: 40,
      weight: 2.5,
      round: 2,
      rounds: 9,
      contributor: "north",
      algorithm: "fedprox"
    )
    metadata.excluded = ["bias"]
    metadata.processing = [
      Exchange.Processing(
        "quantised",
        tensors: ["weight"],
        parameters: ["bits": 8],
        bytesBefore: 40,
        bytesAfter: 10
      )
    ]
    return Exchange(
      .collection,
      tensors: model,
      parts: [
        "control": .difference(model), "note": Exchange(.custom("note"), returnCode: .filtered),
      ],
      metrics: ["loss": 0.25],
      metadata: metadata,
      headers: ["reason": "none"]
    )
  }

  @Test(arguments: [1, 1000, 100_000]) func whatIsSentIsWhatWasMeant(elements: Int) throws {
    let outgoing = try OutgoingParcel(try exchange(elements: elements), chunkSize: 1 << 16)
    let bytes = try outgoing.proto().serializedData()
    let proto = try Tessera_Federation_V1_Parcel(serializedBytes: bytes)
    var incoming = try IncomingParcel(proto, limits: ExchangeLimits())
    #expect(incoming.parcel == outgoing.parcel)
    #expect(incoming.isComplete == (elements < 10_000))
    for index in incoming.missing {
      try outgoing.chunk(index).withUnsafeBytes { _ = try incoming.take(index, $0) }
    }
    let received = try incoming.exchange()
    let sent = try exchange(elements: elements)
    #expect(ExchangeOutline(of: received) == ExchangeOutline(of: sent))
    #expect(try received.tensors.isIdentical(to: sent.tensors))
  }

  @Test func damagedAnnouncementsAreErrors() throws {
    let original = Array(try OutgoingParcel(try exchange(elements: 10)).proto().serializedData())
    var numbers = Xorshift(state: 88_172_645_463_325_252)
    for _ in 0..<2000 {
      var bytes = original
      let place = Int.random(in: 0..<bytes.count, using: &numbers)
      switch Int.random(in: 0..<4, using: &numbers) {
      case 0: bytes[place] ^= UInt8(1 << Int.random(in: 0..<8, using: &numbers))
      case 1: bytes.removeSubrange(place...)
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &numbers), at: place)
      default: bytes.append(contentsOf: bytes[place...])
      }
      // What is understood has passed the limits, and can be looked at.
      guard let proto = try? Tessera_Federation_V1_Parcel(serializedBytes: bytes),
        let incoming = try? IncomingParcel(proto, limits: ExchangeLimits(bytes: 1 << 20))
      else { continue }
      if incoming.isComplete { _ = try? incoming.exchange() }
    }
  }
}
