public import TesseraCore

/// Cuts a window of the image's own size from the image with a black margin: moves it by a few pixels.
public struct RandomCrop: SampleTransform {
  /// How wide the margin is, in pixels: the image moves by at most so many in each direction.
  public let padding: Int

  /// Makes the transform.
  public init(padding: Int = 4) {
    self.padding = padding
  }

  /// The images, moved.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    guard (0...4096).contains(padding) else {
      throw DataError(
        code: .invalidArgument,
        message: "the padding of a crop is in 0...4096 pixels, not \(padding)"
      )
    }
    let shape = batch.shape
    let (count, channels, height, width) = (shape[0], shape[1], shape[2], shape[3])
    var (tops, lefts): ([Int], [Int]) = ([], [])
    for key in keys {
      var numbers = KeyedRandomNumbers(key: key["crop"])
      tops.append(Int.random(in: 0...2 * padding, using: &numbers))
      lefts.append(Int.random(in: 0...2 * padding, using: &numbers))
    }
    let padded = try batch.padded([padding, padding, padding, padding])
    let rows =
      try Tensor(tops, shape: [count, 1, 1, 1])
      + Tensor.range(0..<height).reshaped(to: [1, 1, height, 1])
    let columns =
      try Tensor(lefts, shape: [count, 1, 1, 1])
      + Tensor.range(0..<width).reshaped(to: [1, 1, 1, width])
    return try padded.elements(at: [
      Tensor.range(0..<count).reshaped(to: [count, 1, 1, 1]),
      Tensor.range(0..<channels).reshaped(to: [1, channels, 1, 1]),
      rows,
      columns,
    ])
  }
}
