import Foundation
import TesseraFederation

/// What `make_privacy.py` wrote.
struct PrivacyFixture: Decodable {
  let renyi: [Renyi]
  let replacement: [Divergences]
  let moments: [Divergences]
  let losses: [Losses]
  let calibrations: [Calibration]
  let gaussian: [Gaussian]

  struct Renyi: Decodable {
    let events: [PrivacyEvent]
    let orders: [Double]
    let divergences: [Double]
    let epsilons: [[Double]]
    let deltas: [[Double]]
    let `default`: [[Double]]
  }

  struct Divergences: Decodable {
    let mechanism: PrivacyMechanism
    let orders: [Double]
    let divergences: [Double]
  }

  struct Losses: Decodable {
    let events: [PrivacyEvent]
    let interval: Double
    let epsilons: [[Double]]
    let deltas: [[Double]]
  }

  struct Calibration: Decodable {
    let budget: PrivacyBudget
    let samplingRate: Double
    let count: Int
    let noiseMultiplier: Double
  }

  struct Gaussian: Decodable {
    let noiseMultiplier: Double
    let epsilon: Double
    let delta: Double
  }

  static func read() throws -> Self {
    let file = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/privacy.json")
    return try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
  }
}

/// Whether two numbers agree to a share of the larger.
func agree(_ a: Double, _ b: Double, relative: Double, absolute: Double = 0) -> Bool {
  abs(a - b) <= max(relative * max(abs(a), abs(b)), absolute)
}

/// What simple composition proves, often infinity.
func pureEpsilon(of events: [PrivacyEvent]) -> Double {
  events.reduce(0) { $0 + Double($1.count) * $1.mechanism.pureEpsilon }
}
