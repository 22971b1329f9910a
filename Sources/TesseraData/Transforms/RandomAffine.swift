internal import Foundation
public import TesseraCore

/// Turns, scales, shears and moves images, each by amounts of its own; beyond an edge, its pixels go on.
public struct RandomAffine: SampleTransform {
  /// The greatest turn in degrees, to either side.
  public let degrees: Double
  /// By what width and height are multiplied, above 0; drawn evenly in its logarithm.
  public let scale: ClosedRange<Double>
  /// By what the width is multiplied besides, and the height divided, above 0; drawn evenly in its logarithm.
  public let aspect: ClosedRange<Double>
  /// The greatest shear, as the tangent of its angle, to either side.
  public let shear: Double
  /// The greatest way in each direction, as a share of the image's size.
  public let translation: Double

  /// Makes the transform; without arguments it changes nothing.
  public init(
    degrees: Double = 0,
    scale: ClosedRange<Double> = 1...1,
    aspect: ClosedRange<Double> = 1...1,
    shear: Double = 0,
    translation: Double = 0
  ) {
    self.degrees = degrees
    self.scale = scale
    self.aspect = aspect
    self.shear = shear
    self.translation = translation
  }

  /// The changed images, bilinearly sampled.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    guard scale.lowerBound > 0, aspect.lowerBound > 0, scale.upperBound.isFinite,
      aspect.upperBound.isFinite,
      [degrees, shear, translation].allSatisfy({ $0 >= 0 && $0.isFinite })
    else {
      throw DataError(
        code: .invalidArgument,
        message: """
          an affine transform takes scales and aspects above 0, and a turn, a shear and a way of 0 or \
          more, not \(scale), \(aspect), \(degrees), \(shear) and \(translation)
          """
      )
    }
    guard batch.shape[0] > 0 else { return batch }
    // Where each new pixel comes from: the inverse of what happens to the image.
    let maps = keys.flatMap { inverse($0["affine"], height: batch.shape[2], width: batch.shape[3]) }
    let grid = try Tensor.call(
      "aten::affine_grid_generator",
      .tensor(Tensor(maps, shape: [keys.count, 2, 3]).to(batch.dtype).moved(to: batch.device)),
      .ints(batch.shape),
      .bool(false)
    ).single()
    return try Tensor.call(
      "aten::grid_sampler_2d",
      .tensor(batch),
      .tensor(grid),
      .int(0),
      .int(1),
      .bool(false)
    ).single()
  }

  /// The map from a new pixel's place to the old one's, both in `-1...1`: two rows of three numbers.
  private func inverse(_ key: RandomKey, height: Int, width: Int) -> [Double] {
    var numbers = KeyedRandomNumbers(key: key)
    func drawn(_ limit: Double) -> Double { Double.random(in: -limit...limit, using: &numbers) }
    func drawn(_ range: ClosedRange<Double>) -> Double {
      exp(Double.random(in: log(range.lowerBound)...log(range.upperBound), using: &numbers))
    }
    let angle = drawn(degrees) * .pi / 180
    let (size, ratio) = (drawn(scale), drawn(aspect))
    let (wide, tall) = (size * ratio.squareRoot(), size / ratio.squareRoot())
    let slant = drawn(shear)
    let (right, down) = (2 * drawn(translation), 2 * drawn(translation))
    // Turning a picture that is no square turns pixels, not shares of its sides.
    let form = Double(width) / Double(max(1, height))
    let (cosine, sine) = (cos(angle), sin(angle))
    let (a, b) = (cosine / wide, (sine - slant * cosine) / wide / form)
    let (c, d) = (-sine / tall * form, (cosine + slant * sine) / tall)
    return [a, b, -(a * right + b * down), c, d, -(c * right + d * down)]
  }
}
