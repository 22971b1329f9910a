import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

/// A module with the way it is called, so that one test serves all.
struct LayerCase: CustomTestStringConvertible, Sendable {
  let name: String
  let make: @Sendable (Generator) throws -> (module: any Module, call: (Tensor) throws -> Tensor)
  var hasWholeInput = false
  var testDescription: String { name }

  init(_ name: String, _ make: @escaping @Sendable (Generator) throws -> any Layer) {
    self.name = name
    self.make = { generator in
      let layer = try make(generator)
      return (layer, { try layer($0) })
    }
  }

  /// A module that is no `Layer`, or is called with more than one tensor.
  init<M: Module & SendableMetatype>(
    _ name: String,
    hasWholeInput: Bool = false,
    _ make: @escaping @Sendable (Generator) throws -> M,
    call: @escaping @Sendable (M, Tensor) throws -> Tensor
  ) {
    self.name = name
    self.hasWholeInput = hasWholeInput
    self.make = { generator in
      let module = try make(generator)
      return (module, { try call(module, $0) })
    }
  }

  /// A function without parameters.
  init(_ name: String, function: @escaping @Sendable (Tensor) throws -> Tensor) {
    self.init(name) { _ in Activation(function) }
  }

  private static func attention(
    _ heads: Int,
    hasBias: Bool = true,
    using g: Generator
  ) throws
    -> MultiHeadAttention
  {
    try MultiHeadAttention(width: 6, heads: heads, hasBias: hasBias, using: g)
  }

  private static func bags(
    _ name: String,
    _ reduction: BagReduction,
    weights: [Double]? = nil
  )
    -> LayerCase
  {
    LayerCase(
      name,
      hasWholeInput: true,
      { try EmbeddingBag(entries: 6, width: 3, reduction: reduction, using: $0) },
      call: { bag, indices in
        try bag(
          indices,
          offsets: Tensor([0, 3, 4]),
          weights: weights.map { try Tensor($0).to(bag.weight.value.dtype) }
        )
      }
    )
  }

  private static func masked(_ name: String, isCausal: Bool) -> LayerCase {
    LayerCase(
      name,
      { try attention(2, using: $0) },
      call: { layer, x in
        try layer(x, mask: Golden("layers", "attention.mask")("allowed"), isCausal: isCausal)
      }
    )
  }

  static let all: [LayerCase] = [
    LayerCase("linear") { try Linear(5, 3, using: $0) },
    LayerCase("linear.plain") { try Linear(5, 3, hasBias: false, using: $0) },
    LayerCase("conv1d") { try Conv1d(2, 3, kernel: 3, using: $0) },
    LayerCase("conv1d.options") {
      try Conv1d(4, 6, kernel: 3, stride: 2, padding: 2, dilation: 2, groups: 2, using: $0)
    },
    LayerCase("conv2d") { try Conv2d(2, 3, kernel: 3, padding: 1, using: $0) },
    LayerCase("conv2d.options") {
      try Conv2d(
        4,
        4,
        kernel: [3, 2],
        stride: [2, 1],
        padding: [1, 2],
        dilation: [1, 2],
        groups: 4,
        hasBias: false,
        using: $0
      )
    },
    LayerCase("conv3d") { try Conv3d(2, 2, kernel: 2, using: $0) },
    LayerCase("conv3d.options") {
      try Conv3d(
        2,
        4,
        kernel: 3,
        stride: [1, 2, 2],
        padding: 1,
        dilation: [1, 1, 2],
        groups: 2,
        using: $0
      )
    },
    LayerCase("convTranspose1d") { try ConvTranspose1d(2, 3, kernel: 3, using: $0) },
    LayerCase("convTranspose1d.options") {
      try ConvTranspose1d(
        4,
        6,
        kernel: 3,
        stride: 3,
        padding: 1,
        outputPadding: 2,
        dilation: 2,
        groups: 2,
        using: $0
      )
    },
    LayerCase("convTranspose2d") { try ConvTranspose2d(2, 3, kernel: 2, stride: 2, using: $0) },
    LayerCase("convTranspose2d.options") {
      try ConvTranspose2d(
        4,
        2,
        kernel: 3,
        stride: 2,
        padding: 1,
        outputPadding: [1, 0],
        groups: 2,
        using: $0
      )
    },
    LayerCase("convTranspose3d") { try ConvTranspose3d(2, 2, kernel: 2, stride: 2, using: $0) },
    LayerCase("convTranspose3d.options") {
      try ConvTranspose3d(
        2,
        4,
        kernel: 3,
        stride: 2,
        padding: 1,
        outputPadding: 1,
        dilation: [1, 1, 2],
        groups: 2,
        hasBias: false,
        using: $0
      )
    },
    LayerCase("batchNorm.training") { _ in try BatchNorm(3, momentum: 0.2, epsilon: 1e-3) },
    LayerCase("batchNorm.training1d") { _ in try BatchNorm(3) },
    LayerCase("batchNorm.training3d") { _ in try BatchNorm(2) },
    LayerCase("batchNorm.evaluation") { _ in
      let norm = try BatchNorm(3)
      norm.setMode(.evaluation)
      return norm
    },
    LayerCase("instanceNorm") { _ in try InstanceNorm(3) },
    LayerCase("instanceNorm.affine") { _ in try InstanceNorm(2, isAffine: true) },
    LayerCase("groupNorm") { _ in try GroupNorm(groups: 2, channels: 4) },
    LayerCase("layerNorm") { _ in try LayerNorm(5) },
    LayerCase("layerNorm.two") { _ in try LayerNorm(3, 4) },
    LayerCase("rmsNorm") { _ in try RMSNorm(5) },
    LayerCase("rmsNorm.two") { _ in try RMSNorm(3, 4, epsilon: 1e-3) },
    LayerCase(
      "embedding",
      hasWholeInput: true,
      { try Embedding(entries: 6, width: 3, using: $0) },
      call: { try $0($1) }
    ),
    LayerCase(
      "embedding.padding",
      hasWholeInput: true,
      { try Embedding(entries: 6, width: 3, paddingIndex: 2, using: $0) },
      call: { try $0($1) }
    ),
    bags("embeddingBag.sum", .sum), bags("embeddingBag.mean", .mean),
    bags("embeddingBag.max", .maximum),
    bags("embeddingBag.weighted", .sum, weights: [0.5, -1, 2, 1, 3, 0.25, 1.5]),
    LayerCase("attention", { try attention(2, using: $0) }, call: { try $0($1) }),
    LayerCase(
      "attention.causal",
      { try attention(2, using: $0) },
      call: { try $0($1, isCausal: true) }
    ),
    masked("attention.mask", isCausal: false), masked("attention.both", isCausal: true),
    LayerCase(
      "attention.cross",
      { try attention(3, hasBias: false, using: $0) },
      call: { layer, x in
        let other = try Golden("layers", "attention.cross")("other").to(x.dtype)
        return try layer(query: x, key: other, value: other)
      }
    ),
    LayerCase("maxPool1d") { _ in MaxPool1d(2) },
    LayerCase("maxPool2d") { _ in MaxPool2d([3, 2], stride: [2, 1], padding: [1, 0]) },
    LayerCase("maxPool3d") { _ in MaxPool3d(2, stride: 1, padding: 1) },
    LayerCase("averagePool1d") { _ in AveragePool1d(3, stride: 2, padding: 1) },
    LayerCase("averagePool2d") { _ in AveragePool2d([3, 2], stride: [2, 1], padding: [1, 1]) },
    LayerCase("averagePool2d.uncounted") {
      try $0.averagePooled(
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        countingPadding: false
      )
    },
    LayerCase("averagePool3d") { _ in AveragePool3d(2) },
    LayerCase("adaptiveAveragePool1d") { _ in AdaptiveAveragePool1d(to: 3) },
    LayerCase("adaptiveAveragePool2d") { _ in AdaptiveAveragePool2d(to: [2, 3]) },
    LayerCase("adaptiveAveragePool3d") { _ in AdaptiveAveragePool3d(to: [2, 1, 3]) },
    LayerCase("adaptiveMaxPool1d") { _ in AdaptiveMaxPool1d(to: 3) },
    LayerCase("adaptiveMaxPool2d") { _ in AdaptiveMaxPool2d(to: [2, 3]) },
    LayerCase("adaptiveMaxPool3d") { _ in AdaptiveMaxPool3d(to: [2, 1, 3]) },
    LayerCase("relu") { try relu($0 * 3) },
    LayerCase("sigmoid") { try sigmoid($0 * 3) },
    LayerCase("tanh") { try tanh($0 * 3) },
    LayerCase("silu") { try silu($0 * 3) },
    LayerCase("mish") { try mish($0 * 3) },
    LayerCase("hardswish") { try hardswish($0 * 3) },
    LayerCase("logSigmoid") { try logSigmoid($0 * 3) },
    LayerCase("gelu") { try gelu($0 * 3) },
    LayerCase("gelu.approximate") { try gelu($0 * 3, approximate: true) },
    LayerCase("leakyRelu") { try leakyRelu($0 * 3, slope: 0.2) },
    LayerCase("elu") { try elu($0 * 3, alpha: 1.5) },
    LayerCase("softplus") { try softplus($0 * 3, beta: 2) },
    LayerCase("softmax") { try softmax($0 * 3, along: 1) },
    LayerCase("logSoftmax") { try logSoftmax($0 * 3, along: 0) },
    LayerCase("resized.nearest1d") { try $0.resized(to: [7], using: .nearest) },
    LayerCase("resized.nearest2d") { try $0.resized(to: [5, 6], using: .nearest) },
    LayerCase("resized.nearest3d") { try $0.resized(to: [3, 5, 4], using: .nearest) },
    LayerCase("resized.linear1d") { try $0.resized(to: [7], using: .linear) },
    LayerCase("resized.linear2d") { try $0.resized(to: [5, 6], using: .linear) },
    LayerCase("resized.linear3d") { try $0.resized(to: [3, 5, 4], using: .linear) },
    LayerCase("resized.corners1d") {
      try $0.resized(to: [7], using: .linear, aligningCorners: true)
    },
    LayerCase("resized.corners2d") {
      try $0.resized(to: [5, 6], using: .linear, aligningCorners: true)
    },
    LayerCase("resized.corners3d") {
      try $0.resized(to: [3, 5, 4], using: .linear, aligningCorners: true)
    },
    LayerCase("resized.cubic2d") { try $0.resized(to: [5, 6], using: .cubic) },
  ]
}
