import Tessera

final class Perceptron: Layer {
  let hidden: Linear
  let head: Linear

  init(using generator: Generator) throws {
    hidden = try Linear(784, 64, using: generator)
    head = try Linear(64, 10, using: generator)
  }

  func callAsFunction(_ x: Tensor) throws -> Tensor {
    try head(relu(hidden(x.flattened(from: 1))))
  }
}

func models() throws {
  let key = RandomKey(seed: 1)
  let images = try FashionMNIST.load(.test)
  let model = try Perceptron(using: Generator(key: key["weights"]))
  for parameter in model.parameters where parameter.value.rank < 2 { parameter.decayFactor = 0 }
  let optimizer = try AdamW(model.parameters, learningRate: 1e-3, weightDecay: 0.05)
  let schedule: any Schedule = .cosine(from: 1e-3, over: 100).warmedUp(over: 10)
  let plan = try images.batches(of: 100, shuffledBy: key["epoch"][1])
  for number in plan.numbers {
    let batch = try plan.batch(number)
    let loss = try crossEntropy(model(batch.images), batch.labels, smoothing: 0.1)
    let gradients = try loss.gradients(for: model.parameters).clipped(toNorm: 1).gradients
    optimizer.learningRate = schedule.rate(at: number)
    try optimizer.apply(gradients)
  }

  let file = try Scans.folder().appending("perceptron.safetensors")
  try model.state().write(to: file)
  let copy = try Perceptron(using: Generator(seed: 0))
  try copy.load(ModelState(contentsOf: file))
  copy.setMode(.evaluation)
  print("models:", try copy.state().isIdentical(to: model.state()))
}
