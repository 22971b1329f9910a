internal import Foundation
public import TesseraCore

/// Changes an image's colours: brightness, contrast, saturation and hue, each by an amount of its own.
///
/// All four are one linear map of a pixel's red, green and blue, the hue turned in the plane of equal luminance (YIQ).
public struct RandomColor: SampleTransform {
  /// What is added at most, to either side.
  public let brightness: Double
  /// By how much the distance from grey is stretched at most, to either side, as a share.
  public let contrast: Double
  /// By how much the distance from a pixel's own grey is stretched at most, to either side, as a share.
  public let saturation: Double
  /// The greatest turn of the hue in degrees, to either side.
  public let hue: Double
  /// How probable it is that an image becomes grey.
  public let greyness: Double

  /// Makes the transform; without arguments it changes nothing.
  public init(
    brightness: Double = 0,
    contrast: Double = 0,
    saturation: Double = 0,
    hue: Double = 0,
    greyness: Double = 0
  ) {
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.hue = hue
    self.greyness = greyness
  }

  /// The changed images, within `0...1`.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    guard batch.shape[1] == 3 else {
      throw DataError(
        code: .invalidArgument,
        message: "colours are changed in images of 3 channels, not \(batch.shape[1])"
      )
    }
    guard [brightness, contrast, saturation, hue].allSatisfy({ $0 >= 0 && $0.isFinite }),
      (0...1).contains(greyness)
    else {
      throw DataError(
        code: .invalidArgument,
        message: """
          colours are changed by amounts of 0 or more and a probability, not \(brightness), \
          \(contrast), \(saturation), \(hue) and \(greyness)
          """
      )
    }
    guard !keys.isEmpty else { return batch }
    let maps = keys.map { map($0["color"]) }
    let matrices = try Tensor(maps.flatMap(\.matrix), shape: [keys.count, 3, 3])
    let offsets = try Tensor(maps.map(\.offset), shape: [keys.count, 1, 1])
    let flat = try batch.flattened(from: 2)
    let changed = try matrices.to(batch.dtype).moved(to: batch.device).batchedMatmul(flat)
    return try (changed + offsets.to(batch.dtype).moved(to: batch.device)).clamped(from: 0, to: 1)
      .reshaped(to: batch.shape)
  }

  /// The share of each colour in a pixel's luminance.
  private static let luminance = [0.299, 0.587, 0.114]

  private func map(_ key: RandomKey) -> (matrix: [Double], offset: Double) {
    var numbers = KeyedRandomNumbers(key: key)
    func drawn(_ limit: Double) -> Double { Double.random(in: -limit...limit, using: &numbers) }
    let added = drawn(brightness)
    let stretch = max(0, 1 + drawn(contrast))
    var strength = max(0, 1 + drawn(saturation))
    let angle = drawn(hue) * .pi / 180
    if Double.random(in: 0..<1, using: &numbers) < greyness { strength = 0 }
    // A pixel is its luminance and two coordinates of colour, which are turned and stretched.
    let (c, s) = (strength * cos(angle), strength * sin(angle))
    let inPhase = [0.5959, -0.2746, -0.3213]
    let quadrature = [0.2115, -0.5227, 0.3112]
    let fromInPhase = [0.9563, -0.2721, -1.1070]
    let fromQuadrature = [0.6210, -0.6474, 1.7046]
    var matrix: [Double] = []
    for row in 0..<3 {
      for column in 0..<3 {
        let turned =
          fromInPhase[row] * (c * inPhase[column] - s * quadrature[column])
          + fromQuadrature[row] * (s * inPhase[column] + c * quadrature[column])
        matrix.append(stretch * (Self.luminance[column] + turned))
      }
    }
    return (matrix, added + 0.5 * (1 - stretch))
  }
}
