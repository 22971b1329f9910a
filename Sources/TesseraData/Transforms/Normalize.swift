public import TesseraCore

/// Subtracts a mean and divides by a standard deviation, channel by channel.
public struct Normalize: SampleTransform {
  /// One mean for each channel.
  public let mean: [Double]
  /// One standard deviation for each channel, other than 0.
  public let deviation: [Double]

  /// Makes the transform.
  public init(mean: [Double], deviation: [Double]) {
    self.mean = mean
    self.deviation = deviation
  }

  /// The normalised images.
  public func callAsFunction(_ batch: Tensor, keys: [RandomKey]) throws -> Tensor {
    try check(batch, keys)
    let channels = batch.shape[1]
    guard mean.count == channels, deviation.count == channels,
      (mean + deviation).allSatisfy(\.isFinite), !deviation.contains(0)
    else {
      throw DataError(
        code: .invalidArgument,
        message: """
          \(channels) channels need as many means and deviations other than 0, not \(mean) and \
          \(deviation)
          """
      )
    }
    func perChannel(_ values: [Double]) throws -> Tensor {
      try Tensor(values.map(Float.init), shape: [1, channels, 1, 1])
    }
    return try (batch - perChannel(mean)) / perChannel(deviation)
  }
}
