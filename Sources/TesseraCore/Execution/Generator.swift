internal import CTessera
internal import Foundation

/// A source of random numbers that gives the same numbers for the same seed.
///
/// There is no global one: whatever draws takes a generator. Streams for parts of a computation are derived by key, so
/// that results do not depend on which part runs first:
///
///     let run = RandomKey(seed: 1)
///     let weights = try Generator(key: run["weights"])
///     let shuffling = try Generator(key: run["shuffle"][round][site][epoch])
///
/// Drawing changes the generator, so one belongs to one task at a time, and it is not `Sendable`.
public final class Generator {
  let pointer: OpaquePointer

  /// A generator of the stream with this seed.
  public init(seed: UInt64, on device: Device = .cpu) throws {
    var made: OpaquePointer?
    try check(tessera_generator(seed, device.code, &made))
    guard let made else { throw TensorError(TESSERA_INTERNAL) }
    pointer = made
  }

  /// A generator of the stream that belongs to a key under this seed.
  ///
  /// - Parameters:
  ///   - key: What the stream is for. Different keys give independent streams.
  ///   - device: Where the generator draws.
  /// - Throws: ``TensorError`` if the device is not there.
  public convenience init(key: RandomKey, on device: Device = .cpu) throws {
    try self.init(seed: key.value, on: device)
  }

  deinit { tessera_generator_release(pointer) }

  /// Everything the generator needs to go on from here, for checkpoints.
  public func state() throws -> Tensor {
    try Tensor.produced { tessera_generator_state(pointer, $0) }
  }

  /// Goes on from a saved state.
  public func restore(_ state: Tensor) throws {
    try withExtendedLifetime(state.handle) {
      try check(tessera_generator_restore(pointer, state.pointer))
    }
  }
}

extension Tensor {
  /// Numbers drawn evenly from a range.
  public static func uniform(
    _ shape: [Int],
    in range: Range<Double> = 0..<1,
    dtype: DType = .float32,
    using generator: Generator
  ) throws -> Tensor {
    try produced {
      tessera_uniform(
        shape,
        shape.count,
        range.lowerBound,
        range.upperBound,
        dtype.code,
        generator.pointer,
        $0
      )
    }
  }

  /// Numbers drawn from a normal distribution.
  public static func normal(
    _ shape: [Int],
    mean: Double = 0,
    deviation: Double = 1,
    dtype: DType = .float32,
    using generator: Generator
  ) throws -> Tensor {
    try produced {
      tessera_normal(shape, shape.count, mean, deviation, dtype.code, generator.pointer, $0)
    }
  }

  /// Whole numbers drawn evenly from a range, as `int64`.
  public static func randomIntegers(
    _ shape: [Int],
    in range: Range<Int>,
    using generator: Generator
  ) throws -> Tensor {
    guard !range.isEmpty else {
      throw TensorError(code: .invalidArgument, message: "there is no number in an empty range")
    }
    return try produced {
      tessera_random_integers(
        shape,
        shape.count,
        range.lowerBound,
        range.upperBound,
        generator.pointer,
        $0
      )
    }
  }

  /// The numbers `0..<count` in random order, as `int64`.
  public static func permutation(of count: Int, using generator: Generator) throws -> Tensor {
    try produced { tessera_permutation(count, generator.pointer, $0) }
  }

  /// Each element zeroed with the given probability, the others scaled so that the mean stays.
  public func droppedOut(probability: Double, using generator: Generator) throws -> Tensor {
    guard (0...1).contains(probability) else {
      throw TensorError(
        code: .invalidArgument,
        message: "the probability \(probability) is outside 0...1"
      )
    }
    return try mapped { tessera_dropout($0, probability, generator.pointer, $1) }
  }

  /// Positions drawn with the probabilities that the elements are proportional to, as `int64`.
  public func sampledPositions(
    _ count: Int,
    replacement: Bool = false,
    using generator: Generator
  ) throws -> Tensor {
    try mapped { tessera_multinomial($0, count, replacement, generator.pointer, $1) }
  }
}
