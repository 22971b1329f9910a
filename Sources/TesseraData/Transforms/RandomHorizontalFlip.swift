public import TesseraCore

/// Mirrors some of the images, left to right.
public struct RandomHorizontalFlip: SampleTransform {
  /// How probable it is that an image is mirrored, in `0...1`.
  public let probability: Double

  /// Makes the transform.
  public init(probability: Double = 0.5) {
    self.probability = probability
  }

  /// The images, some of them mirrored.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    guard (0...1).contains(probability) else {
      throw DataError(
        code: .invalidArgument,
        message: "a probability is in 0...1, not \(probability)"
      )
    }
    let isMirrored = keys.map { key in
      var numbers = KeyedRandomNumbers(key: key["flip"])
      return Double.random(in: 0..<1, using: &numbers) < probability
    }
    guard isMirrored.contains(true) else { return batch }
    let mask = try Tensor(isMirrored, shape: [keys.count, 1, 1, 1])
    return try select(where: mask, batch.flipped(along: 3), else: batch)
  }
}
