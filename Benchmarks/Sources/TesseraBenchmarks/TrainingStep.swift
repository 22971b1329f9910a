import CReference
import Measuring
import TesseraCore
import TesseraNN

/// A training step of ours against the same step in C++: forward, loss, gradients, SGD with momentum.
enum TrainingStep {
  static func run(rounds: Int) throws {
    try compare("training step, quickstart's CNN, batch 64", REFERENCE_CLASSIFIER, 64, 40, rounds) {
      try ImageClassifier(using: $0)
    } images: {
      try Tensor.uniform([64, 1, 28, 28], using: $0)
    }
    try compare("training step, ResNet-18 on 32×32, batch 16", REFERENCE_RESNET18, 16, 2, rounds) {
      try ResNet18(classes: 10, using: $0)
    } images: {
      try Tensor.uniform([16, 3, 32, 32], using: $0)
    }
  }

  /// So many steps of quickstart's CNN by us alone, for profilers.
  static func ours(_ count: Int) throws {
    let generator = try Generator(seed: 1)
    let model = try ImageClassifier(using: generator)
    let images = try Tensor.uniform([64, 1, 28, 28], using: generator)
    let labels = try Tensor.randomIntegers([64], in: 0..<10, using: generator)
    let optimizer = try SGD(model.parameters, learningRate: 0.01, momentum: 0.9)
    for _ in 0..<count { try optimizer.step(minimizing: crossEntropy(model(images), labels)) }
  }

  /// So many steps in C++ alone.
  static func theirs(_ count: Int) {
    let training = reference_training(REFERENCE_CLASSIFIER, 64)
    for _ in 0..<count { reference_step(training) }
    reference_training_free(training)
  }

  private static func compare(
    _ name: String,
    _ reference: ReferenceModel,
    _ batch: Int,
    _ steps: Int,
    _ rounds: Int,
    model makeModel: (Generator) throws -> any Layer,
    images makeImages: (Generator) throws -> Tensor
  ) throws {
    let generator = try Generator(seed: 1)
    let model = try makeModel(generator)
    let images = try makeImages(generator)
    let labels = try Tensor.randomIntegers([batch], in: 0..<10, using: generator)
    let optimizer = try SGD(model.parameters, learningRate: 0.01, momentum: 0.9)
    func ourStep() throws { try optimizer.step(minimizing: crossEntropy(model(images), labels)) }
    let theirs = reference_training(reference, Int32(batch))
    defer { reference_training_free(theirs) }
    for _ in 0..<3 {
      try ourStep()
      reference_step(theirs)
    }
    let result = try Measuring.compare(rounds: rounds) {
      try seconds { for _ in 0..<steps { try ourStep() } } / Double(steps)
    } theirs: {
      seconds { for _ in 0..<steps { reference_step(theirs) } } / Double(steps)
    }
    report(
      name,
      ours: milliseconds(result.ours),
      theirs: "C++ \(milliseconds(result.theirs))",
      ratio: result.ratio,
      limit: 1.05
    )
  }
}
