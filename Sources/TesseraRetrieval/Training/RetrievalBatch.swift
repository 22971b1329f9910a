internal import Foundation
internal import TesseraCore

/// What one step trains on, by its places in ``RetrievalExamples``.
struct RetrievalBatch: Sendable, Hashable {
  /// Pictures and a text for each.
  var pictures: [Int] = []
  var captions: [Int] = []
  /// Texts and a translation for each.
  var lefts: [Int] = []
  var rights: [Int] = []
}

/// Draws batches, each by its number alone: what was drawn before has no influence.
struct BatchSampler: Sendable {
  private let examples: RetrievalExamples
  private let pictures: [Int]
  /// Where the share of each group of translations ends, in `0...1`.
  private let shares: [Double]
  private let key: RandomKey
  private let pictureCount: Int
  private let translationCount: Int
  /// The order of the last round through the pictures.
  private var order: (round: Int, pictures: [Int])?

  /// A sampler.
  ///
  /// - Parameters:
  ///   - examples: What is drawn from.
  ///   - pictures: How many pictures a batch has.
  ///   - translations: How many pairs of texts; none if there are none.
  ///   - exponent: A group of `n` pairs is drawn from as often as `n` to this: 1 by its size, 0 as often as any other.
  ///   - key: What all draws derive from.
  init(
    _ examples: RetrievalExamples,
    pictures: Int,
    translations: Int,
    exponent: Double,
    key: RandomKey
  ) {
    self.examples = examples
    self.pictures = examples.captions.indices.filter { !examples.captions[$0].isEmpty }
    let weights = examples.translations.map { pow(Double($0.count), exponent) }
    let total = weights.reduce(0, +)
    var sum = 0.0
    shares = weights.map { weight in
      sum += weight
      return sum / total
    }
    pictureCount = self.pictures.isEmpty ? 0 : pictures
    translationCount = examples.translations.isEmpty ? 0 : translations
    self.key = key
  }

  /// The batch of a step.
  ///
  /// Pictures come in rounds: each is used once before one is used again.
  mutating func batch(_ step: Int) -> RetrievalBatch {
    var batch = RetrievalBatch()
    for number in step * pictureCount..<(step + 1) * pictureCount {
      let round = number / pictures.count
      if order?.round != round {
        var numbers = KeyedRandomNumbers(key: key["pictures"][round])
        order = (round, pictures.shuffled(using: &numbers))
      }
      if let order { batch.pictures.append(order.pictures[number % pictures.count]) }
    }
    var numbers = KeyedRandomNumbers(key: key["texts"][step])
    batch.captions = batch.pictures.map {
      let captions = examples.captions[$0]
      return captions[Int.random(in: captions.indices, using: &numbers)]
    }
    for _ in 0..<translationCount {
      let place = Double.random(in: 0..<1, using: &numbers)
      let group = shares.firstIndex { place < $0 } ?? shares.count - 1
      let pairs = examples.translations[group]
      let pair = pairs[Int.random(in: pairs.indices, using: &numbers)]
      batch.lefts.append(pair.left)
      batch.rights.append(pair.right)
    }
    return batch
  }
}
