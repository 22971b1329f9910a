import Foundation
import Measuring
import TesseraCore
import TesseraRetrieval

/// Steps of mural-small with both losses, 64 pictures and 64 pairs of texts of 32 tokens; `retrieval_peer.py` takes the same ones.
enum RetrievalStep {
  private static let vocabulary = 8000

  /// Texts that are as many tokens as are asked for.
  private struct RandomTokens: Tokenizer {
    var count: Int { vocabulary }
    var padding: Int { 0 }

    func tokens(of text: String, atMost limit: Int) -> [Int] {
      var numbers = KeyedRandomNumbers(key: RandomKey(seed: 1)[text])
      return (0..<limit).map { _ in Int.random(in: 1..<vocabulary, using: &numbers) }
    }
  }

  /// Prints the median time of so many steps, as JSON.
  static func run(steps: Int, threads: Int) async throws {
    try await Task(executorPreference: ComputeLane(threads: threads)) {
      let training = try training(steps + 3)
      var times: [Double] = []
      for step in 0..<steps + 3 {
        let time = try seconds { _ = try training.step() }
        if step >= 3 { times.append(time) }
      }
      print("{\"seconds\": \(median(times))}")
    }.value
  }

  private static func training(_ steps: Int) throws -> RetrievalTraining {
    var configuration = RetrievalTraining.Configuration()
    configuration.steps = steps
    configuration.warmup = 0
    configuration.pictures = 64
    configuration.translations = 64
    configuration.optimizer = .adamW
    configuration.learningRate = 1e-4
    configuration.augmentation = .none
    let generator = try Generator(seed: 1)
    let pixels = try Tensor.randomIntegers([512, 3, 64, 64], in: 0..<256, using: generator)
    let examples = try RetrievalExamples(
      pixels: pixels.to(.uint8),
      subjects: Array(0..<512),
      captions: (0..<512).map { [$0] },
      texts: (0..<4096).map { "\($0)" },
      translations: [(0..<1500).map { .init(left: 512 + $0, right: 2048 + $0) }]
    )
    let tokenizer = RandomTokens()
    let model = try DualEncoder(.small, vocabulary: tokenizer.count, using: generator)
    return try RetrievalTraining(model, tokenizer, examples, configuration, generator: generator)
  }
}
