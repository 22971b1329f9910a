import Tessera
import TesseraFederation

/// Softmax regression on a site's images: a few steps of plain gradient descent a round.
struct SoftmaxRegression: Executor {
  /// For each site, `[images, 784]` and the classes as `[images, 10]` zeros and ones.
  let data: [(pixels: Tensor, classes: Tensor)]

  func execute(_ task: SiteTask, at site: SiteContext) async throws -> Exchange {
    let (pixels, classes) = data[task.site.index]
    var (weight, bias) = try Self.parameters(task.model)
    for _ in 0..<5 {
      let guess = try softmax(pixels.matmul(weight) + bias, along: 1)
      let error = try (guess - classes) / Double(pixels.shape[0])
      weight = try weight - pixels.transposed().matmul(error) * 0.2
      bias = try bias - error.sum(along: 0) * 0.2
    }
    return .weights(
      try ModelState([(name: "weight", tensor: weight), (name: "bias", tensor: bias)])
    )
  }

  static func initialModel() throws -> ModelState {
    try ModelState([
      (name: "weight", tensor: Tensor.zeros([784, 10])), (name: "bias", tensor: Tensor.zeros([10])),
    ])
  }

  /// How good a model is on other images.
  static func evaluate(_ model: ModelState, _ pixels: Tensor, _ labels: Tensor) throws -> Evaluation
  {
    let (weight, bias) = try parameters(model)
    let scores = try pixels.matmul(weight) + bias
    return Evaluation(
      accuracy: try scores.argmax(along: 1).equals(labels).to(.float32).mean().item(),
      loss: try crossEntropy(scores, labels).item()
    )
  }

  private static func parameters(_ model: ModelState) throws -> (weight: Tensor, bias: Tensor) {
    guard let weight = model["weight"], let bias = model["bias"] else {
      throw FederationError(code: .badTask, message: "the model has no weight or no bias")
    }
    return (weight, bias)
  }
}
