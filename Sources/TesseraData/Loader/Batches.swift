public import TesseraCore

/// A few examples together.
public struct Batch: Sendable {
  /// `[batch, channels, height, width]`, `float32`, in `0...1` before transforms.
  public var images: Tensor
  /// `[batch]`, `int64`.
  public var labels: Tensor
  /// Where in the data set they are from.
  public var indices: [Int]

  /// Makes a batch.
  public init(images: Tensor, labels: Tensor, indices: [Int]) {
    self.images = images
    self.labels = labels
    self.indices = indices
  }
}

/// The order and the form in which examples are used: batches, by number.
///
/// A plan makes any of its batches at any time, which is what lets several workers share one. A sample's random transforms
/// depend on its own key alone, so the result does not depend on who makes which batch.
public struct BatchPlan: Sendable {
  /// Where the examples come from.
  public let dataset: LabelledImages
  /// The number of batches.
  public let count: Int
  /// The numbers of the batches.
  public var numbers: Range<Int> { 0..<count }
  private let order: [Int]
  private let size: Int
  private let key: RandomKey?
  private let transforms: [any SampleTransform]

  init(
    dataset: LabelledImages,
    order: [Int],
    size: Int,
    key: RandomKey?,
    transforms: [any SampleTransform],
    droppingLast: Bool
  ) {
    self.dataset = dataset
    self.order = order
    self.size = size
    self.key = key
    self.transforms = transforms
    let full = order.count / size
    count = droppingLast || order.count.isMultiple(of: size) ? full : full + 1
  }

  /// The batch of that number, from 0.
  ///
  /// - Throws: ``DataError`` if there is no such batch, and what transforms throw.
  public func batch(_ number: Int) throws -> Batch {
    guard (0..<count).contains(number) else {
      throw DataError(
        code: .invalidArgument,
        message: "there is no batch \(number) among \(count)"
      )
    }
    let indices = Array(order[(number * size)...].prefix(size))
    let positions = try Tensor(indices)
    var images = try dataset.images.gathered(positions).to(.float32) * (1.0 / 255)
    if !transforms.isEmpty {
      // Without a key nothing is shuffled, and transforms that draw get the same draws each time.
      let samples = (key ?? RandomKey(seed: 0))["sample"]
      let keys = indices.map { samples[$0] }
      for transform in transforms { images = try transform(images, keys: keys) }
    }
    return Batch(images: images, labels: try dataset.labels.gathered(positions), indices: indices)
  }
}

extension LabelledImages {
  /// The examples in batches.
  ///
  ///     let plan = try training.batches(of: 64, shuffledBy: key[epoch])
  ///     for number in plan.numbers {
  ///       let batch = try plan.batch(number)
  ///       …
  ///     }
  ///
  /// - Parameters:
  ///   - size: How many examples a batch has; the last may have fewer.
  ///   - indices: Which examples; all if `nil`.
  ///   - key: Shuffles them, and seeds their transforms; the given order if `nil`.
  ///   - transforms: Applied one after the other.
  ///   - droppingLast: Whether a last batch that is not full is left out.
  /// - Returns: A plan that makes any of the batches at any time.
  /// - Throws: ``DataError`` with code ``DataError/Code/invalidArgument`` if the size is less than 1 or an index is outside.
  public func batches(
    of size: Int,
    indices: [Int]? = nil,
    shuffledBy key: RandomKey? = nil,
    transforms: [any SampleTransform] = [],
    droppingLast: Bool = false
  ) throws -> BatchPlan {
    guard size >= 1 else {
      throw DataError(
        code: .invalidArgument,
        message: "a batch has at least 1 example, not \(size)"
      )
    }
    var order = indices ?? Array(0..<count)
    guard order.allSatisfy({ (0..<count).contains($0) }) else {
      throw DataError(
        code: .invalidArgument,
        message: "an index is outside the \(count) examples of \(name)"
      )
    }
    if let key {
      var numbers = KeyedRandomNumbers(key: key["shuffle"])
      order.shuffle(using: &numbers)
    }
    return BatchPlan(
      dataset: self,
      order: order,
      size: size,
      key: key,
      transforms: transforms,
      droppingLast: droppingLast
    )
  }
}
