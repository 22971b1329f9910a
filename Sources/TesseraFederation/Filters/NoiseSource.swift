internal import TesseraCore

/// Where noise for privacy comes from.
public enum NoiseSource: String, Sendable, Hashable, CaseIterable {
  /// The job's key: a run can be repeated bit by bit, and whoever knows the job's seed can take the noise away again. For
  /// simulations, and for noise that the server adds.
  case key
  /// The operating system's secret random numbers, 64 bits of them for each tensor: the server cannot know the noise. A run
  /// cannot be repeated.
  case secret

  /// A stream for one tensor.
  func generator(_ key: RandomKey) throws -> Generator {
    guard self == .secret else { return try Generator(key: key) }
    var system = SystemRandomNumberGenerator()
    return try Generator(seed: system.next())
  }
}
