import Foundation
import SystemPackage
import TesseraCore
import TesseraNN
import TesseraRetrieval
import TesseraTesting
import Testing

/// The image tower against torchvision's.
@Suite struct EfficientNetTests {
  /// As `make_golden.py` computes it.
  private static func formula(
    _ shape: [Int],
    _ number: Double,
    scale: Double,
    offset: Double = 0
  ) throws -> Tensor {
    let count = shape.reduce(1, *)
    let elements = (0..<count).map { Float(offset + scale * sin(0.37 * Double($0) + number)) }
    return try Tensor(elements, shape: shape)
  }

  private static func network(_ size: EfficientNetSize, hasTop: Bool) throws -> EfficientNet {
    let network = try EfficientNet(size, hasTop: hasTop, using: Generator(seed: 1))
    let entries = try network.state().entries.enumerated().map { number, entry in
      let shape = entry.tensor.shape
      let number = Double(number)
      let tensor: Tensor
      if entry.name.hasSuffix("runningVariance") {
        tensor = try formula(shape, number, scale: 0.25, offset: 1)
      } else if shape.count == 4 {
        let fan = Double(shape.dropFirst().reduce(1, *))
        tensor = try formula(shape, number, scale: (4 / fan).squareRoot())
      } else {
        let isScale = entry.name.hasSuffix("weight")
        tensor = try formula(shape, number, scale: 0.3, offset: isScale ? 1 : 0)
      }
      return (entry.name, tensor)
    }
    try network.load(ModelState(entries))
    network.setMode(.evaluation)
    return network
  }

  @Test(arguments: [("b0", 32), ("b1", 40)])
  func featuresAndDerivativesAreTorchvisions(_ name: String, _ side: Int) throws {
    let file = try SafeTensors(
      contentsOf: MiniLM.fixtures.appending("efficientnet.safetensors")
    )
    func golden(_ tensor: String) throws -> Tensor { try file.tensor("\(name)/\(tensor)") }
    let size: EfficientNetSize = name == "b0" ? .b0 : .b1
    let network = try Self.network(size, hasTop: false)
    let x = try Self.formula([2, 3, side, side], 0.5, scale: 1).asVariable()
    let features = try network(x)
    #expect(try features.shape == golden("features").shape)
    try expectClose(features, golden("features"), absolute: 1e-5, relative: 1e-4)
    let seed = try Self.formula(features.shape, 0.25, scale: 1)
    let gradients = try (features * seed).sum()
      .gradients(for: [x, network.stem.weight.value])
    try expectClose(gradients[0], golden("d.x"), absolute: 1e-5, relative: 1e-3)
    try expectClose(gradients[1], golden("d.stem"), absolute: 1e-4, relative: 1e-3)
    let top = try Self.network(size, hasTop: true)(x)
    try expectClose(top, golden("top"), absolute: 1e-5, relative: 1e-4)
  }

  @Test func parametersAreAsManyAsPublished() throws {
    let sizes: [(EfficientNetSize, Int)] = [
      (.b0, 5_288_548), (.b1, 7_794_184), (.b2, 9_109_994), (.b3, 12_233_232), (.b4, 19_341_616),
      (.b5, 30_389_784), (.b6, 43_040_704), (.b7, 66_347_960),
    ]
    for (size, published) in sizes {
      let network = try EfficientNet(size, hasTop: true, using: Generator(seed: 2))
      let head = network.features * 1000 + 1000
      #expect(network.parameterCount + head == published)
    }
  }

  @Test func trainingLeavesBlocksOutAndTheMeanStays() throws {
    let layer = try StochasticDepth(0.25, using: Generator(seed: 3))
    let x = try Tensor.ones([4000, 1, 2])
    let y = try layer(x)
    let values = Set(try y.array(of: Float.self))
    #expect(values == [0, Float(1 / 0.75)])
    let rows = try y.standardDeviation(along: 2).maximum(along: 0).item()
    #expect(rows == 0, "an image is left out as a whole")
    #expect(abs(try y.mean(along: 0, 1, 2).item() - 1) < 0.05)
    layer.setMode(.evaluation)
    #expect(try layer(x).isIdentical(to: x))
    #expect(throws: TensorError.self) { try StochasticDepth(1, using: Generator(seed: 4)) }
  }

  @Test func imagesThatDoNotFitAreAnError() throws {
    let network = try EfficientNet(.b0, using: Generator(seed: 5))
    #expect(throws: TensorError.self) { try network(Tensor.zeros([1, 1, 32, 32])) }
    #expect(throws: TensorError.self) { try network(Tensor.zeros([3, 32])) }
  }
}
