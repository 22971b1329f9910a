import TesseraCore
import TesseraFederation
import TesseraNN
import TesseraTesting
import Testing

@Suite struct GradientCorrectionTests {
  /// A convolution laid out as training lays it out, with a state in rows to correct by.
  private static func convolution() throws -> (
    layer: Conv2d, center: ModelState, gradients: [Tensor]
  ) {
    let generator = try Generator(seed: 6)
    let layer = try Conv2d(3, 4, kernel: 3, using: generator)
    let center = try layer.state().mapTensors { try Tensor.normal($1.shape, using: generator) }
    try layer.useChannelsLast()
    let gradients = try layer.parameters.map {
      try Tensor.normal($0.value.shape, using: generator)
    }
    return (layer, center, gradients)
  }

  @Test func thePullIsTheGradientOfTheProximalTerm() throws {
    let (layer, center, gradients) = try Self.convolution()
    let correct = try ProximalPull(strength: 0.3, towards: center).begin(layer.namedParameters)
    let corrected = try correct(gradients)
    // Differentiated, not computed by the formula once more.
    var term = try Tensor(Float(0))
    for (name, parameter) in layer.namedParameters {
      let distance = try parameter.value - #require(center[name])
      term = try term + distance.squared().sum() * 0.15
    }
    let expected = try zip(gradients, term.gradients(for: layer.parameters)).map { try $0 + $1 }
    for (a, b) in zip(corrected, expected) { expectClose(a, b, absolute: 1e-5) }
    #expect(corrected.allSatisfy { !$0.requiresGradient })
  }

  @Test func thePullFollowsTheParameters() throws {
    let (layer, center, gradients) = try Self.convolution()
    let correct = try ProximalPull(strength: 0.3, towards: center).begin(layer.namedParameters)
    let before = try correct(gradients)
    try layer.load(center)
    let after = try correct(gradients)
    for (a, b) in zip(after, gradients) { expectClose(a, b, absolute: 1e-6) }
    #expect(try !before[0].isIdentical(to: after[0]))
  }

  @Test func theShiftIsAdded() throws {
    let (layer, shift, gradients) = try Self.convolution()
    let corrected = try GradientShift(by: shift).begin(layer.namedParameters)(gradients)
    for (index, name) in layer.namedParameters.map(\.name).enumerated() {
      expectClose(corrected[index], try gradients[index] + #require(shift[name]))
    }
  }

  @Test func whatDoesNotFitTheParametersIsRefusedByName() throws {
    let layer = try Conv2d(3, 4, kernel: 3, using: Generator(seed: 6))
    let corrections: [(ModelState) -> any GradientCorrection] = [
      { ProximalPull(strength: 1, towards: $0) }, { GradientShift(by: $0) },
    ]
    for wrong in [
      try ModelState([("weight", Tensor.zeros([4, 3, 3, 3]))]),
      try ModelState([("weight", Tensor.zeros([4, 3, 3, 3])), ("bias", Tensor.zeros([1]))]),
    ] {
      for make in corrections {
        let error = #expect(throws: FederationError.self) {
          _ = try make(wrong).begin(layer.namedParameters)
        }
        #expect(error?.code == .badTask)
        #expect(error?.message.contains("'bias'") == true)
      }
    }
  }
}
