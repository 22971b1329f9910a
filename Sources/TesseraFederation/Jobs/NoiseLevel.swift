internal import Foundation
internal import TesseraConfiguration

/// How much noise a job's file asks for.
enum NoiseLevel: Sendable, Hashable, CustomStringConvertible {
  /// So many times what it hides.
  case multiplier(Double)
  /// As much as the job's privacy budget needs, and no more.
  case calibrated

  /// As it stands in a file.
  var description: String {
    switch self {
    case .multiplier(let multiplier):
      String(format: "%g", multiplier)
    case .calibrated: "calibrated"
    }
  }

  /// The multiplier, or 1 as long as it is not known.
  var known: Double { if case .multiplier(let multiplier) = self { multiplier } else { 1 } }
}

extension Schema where Value == NoiseLevel {
  /// A number, or `calibrated`.
  static func noiseLevel(_ number: Schema<Double>) -> Schema {
    number.map { NoiseLevel.multiplier($0) }.or(["calibrated": .calibrated])
  }
}

extension FederationError {
  /// Noise that is to be calibrated was used before it was.
  static func notCalibrated(_ name: String) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: "'\(name)': 'noise_multiplier: calibrated' needs a 'privacy' budget"
    )
  }
}
