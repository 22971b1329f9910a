import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

/// A loss with what it takes from its golden case.
struct LossCase: CustomTestStringConvertible, Sendable {
  let name: String
  let loss: @Sendable (Tensor, Golden) throws -> Tensor
  var testDescription: String { name }

  init(_ name: String, _ loss: @escaping @Sendable (Tensor, Golden) throws -> Tensor) {
    self.name = name
    self.loss = loss
  }

  private static let reductions: [(String, LossReduction)] = [
    ("mean", .mean), ("sum", .sum), ("none", .none),
  ]

  static let all: [LossCase] =
    reductions.flatMap { name, reduction in
      [
        LossCase("crossEntropy.\(name)") {
          try crossEntropy($0, $1("labels"), reduction: reduction)
        },
        LossCase("meanSquaredError.\(name)") {
          try meanSquaredError($0, $1("target").to($0.dtype), reduction: reduction)
        },
        LossCase("meanAbsoluteError.\(name)") {
          try meanAbsoluteError($0, $1("target").to($0.dtype), reduction: reduction)
        },
        LossCase("huber.\(name)") {
          try huber($0, $1("target").to($0.dtype), delta: 0.7, reduction: reduction)
        },
      ]
    } + [
      LossCase("crossEntropy.smoothing") {
        try crossEntropy($0, $1("labels"), smoothing: 0.2)
      },
      LossCase("crossEntropy.weights") {
        try crossEntropy($0, $1("labels"), classWeights: $1("weights").to($0.dtype))
      },
      LossCase("crossEntropy.all") {
        try crossEntropy(
          $0,
          $1("labels"),
          classWeights: $1("weights").to($0.dtype),
          smoothing: 0.1,
          ignoring: 2
        )
      },
      LossCase("crossEntropy.ignoring") { try crossEntropy($0, $1("labels"), ignoring: 2) },
      LossCase("crossEntropy.volume") { try crossEntropy($0, $1("labels")) },
      LossCase("crossEntropy.probabilities") {
        try crossEntropy($0, $1("target").to($0.dtype))
      },
      LossCase("binaryCrossEntropy") { try binaryCrossEntropy($0, $1("target").to($0.dtype)) },
      LossCase("binaryCrossEntropy.weights") {
        try binaryCrossEntropy(
          $0,
          $1("target").to($0.dtype),
          weight: $1("weight").to($0.dtype),
          positiveWeight: $1("positive").to($0.dtype)
        )
      },
      LossCase("focal") { try focal($0, $1("target").to($0.dtype)) },
      LossCase("focal.plain") {
        try focal($0, $1("target").to($0.dtype), gamma: 1.5, alpha: nil)
      },
      LossCase("dice") { try dice($0, $1("target")) },
      LossCase("dice.foreground") { try dice($0, $1("target"), includingBackground: false) },
      LossCase("diceCrossEntropy") { try diceCrossEntropy($0, $1("labels")) },
      LossCase("diceCrossEntropy.weighted") {
        try diceCrossEntropy(
          $0,
          $1("labels"),
          includingBackground: false,
          diceWeight: 0.3,
          entropyWeight: 0.7
        )
      },
      LossCase("contrastive") {
        try contrastive($0, $1("other").to($0.dtype), temperature: $1("temperature").to($0.dtype))
      },
      LossCase("contrastive.smoothing") {
        try contrastive(
          $0,
          $1("other").to($0.dtype),
          temperature: $1("temperature").to($0.dtype),
          smoothing: 0.1
        )
      },
      LossCase("contrastive.margin") {
        try contrastive(
          $0,
          $1("other").to($0.dtype),
          temperature: $1("temperature").to($0.dtype),
          margin: 0.3
        )
      },
      LossCase("contrastive.excluding") {
        try contrastive(
          $0,
          $1("other").to($0.dtype),
          temperature: $1("temperature").to($0.dtype),
          excluding: $1("excluded")
        )
      },
      LossCase("contrastive.all") {
        try contrastive(
          $0,
          $1("other").to($0.dtype),
          temperature: $1("temperature").to($0.dtype),
          smoothing: 0.1,
          margin: 0.2,
          excluding: $1("excluded")
        )
      },
    ]
}

@Suite struct LossTests {
  @Test(arguments: LossCase.all) func everyLossAgreesWithItsReference(_ loss: LossCase) throws {
    let golden = try Golden("losses", loss.name)
    let x = try golden("x").asVariable()
    let y = try loss.loss(x, golden)
    expectClose(y, try golden("y"), "value")
    let gradient = try y.gradients(for: [x], seed: golden("seed"))[0]
    expectClose(gradient, try golden("d.x"), "gradient")
  }

  @Test(arguments: LossCase.all)
  func everyLosssGradientAgreesWithFiniteDifferences(_ loss: LossCase) throws {
    let golden = try Golden("losses", loss.name)
    gradientCheck([try golden("x").to(.float64)]) { try loss.loss($0[0], golden) }
  }

  @Test func theTemperatureOfContrastivePairsIsLearnt() throws {
    let golden = try Golden("losses", "contrastive")
    let (a, b) = (try golden("x").to(.float64), try golden("other").to(.float64))
    gradientCheck([a, b, try Tensor(0.3)]) {
      try contrastive($0[0], $0[1], temperature: $0[2])
    }
  }

  @Test(arguments: [0, 0.1]) func aLabelThatIsNoClassIsAnErrorThatHidesIt(smoothing: Double) throws
  {
    for label in [5713, -77, -100] {
      let error = #expect(throws: TensorError.self) {
        try crossEntropy(Tensor.zeros([2, 3]), Tensor([0, label]), smoothing: smoothing)
      }
      #expect(error?.code == .indexOutOfRange)
      #expect(error?.message.contains("\(Swift.abs(label))") == false)
    }
    let error = #expect(throws: TensorError.self) {
      try diceCrossEntropy(
        Tensor.zeros([1, 3, 2, 2]),
        Tensor.full(5713, shape: [1, 2, 2], dtype: .int64)
      )
    }
    #expect(error?.code == .indexOutOfRange)
    #expect(error?.message.contains("5713") == false)
  }

  @Test func aTargetOfAnotherShapeIsRefusedRatherThanBroadcast() throws {
    let (x, target) = (try Tensor.zeros([3, 1]), try Tensor.zeros([3]))
    for loss in [
      { try meanSquaredError(x, target) }, { try meanAbsoluteError(x, target) },
      { try huber(x, target) }, { try binaryCrossEntropy(x, target) }, { try dice(x, target) },
      { try focal(x, target) },
    ] as [() throws -> Tensor] {
      let error = #expect(throws: TensorError.self) { try loss() }
      #expect(error?.code == .shapeMismatch)
    }
  }

  @Test func shapesWithoutClassesOrPlacesAreRefused() throws {
    let losses: [() throws -> Tensor] = [
      { try diceCrossEntropy(Tensor.zeros([3]), Tensor(0)) },
      { try diceCrossEntropy(Tensor(0.5), Tensor(0)) },
      { try diceCrossEntropy(Tensor.zeros([2, 3]), Tensor([0, 1])) },
      { try diceCrossEntropy(Tensor.zeros([2, 3, 4]), Tensor.zeros([2, 3, 4])) },
      { try dice(Tensor.zeros([2, 0, 4]), Tensor.zeros([2, 0, 4]), includingBackground: false) },
      { try dice(Tensor.zeros([2, 1, 4]), Tensor.zeros([2, 1, 4]), includingBackground: false) },
    ]
    for loss in losses {
      let error = #expect(throws: TensorError.self) { try loss() }
      #expect(error?.code == .shapeMismatch)
    }
  }
}
