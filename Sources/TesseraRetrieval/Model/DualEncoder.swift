internal import Foundation
public import TesseraCore
public import TesseraNN

/// Two towers whose vectors can be compared: pictures and texts in any language become points of one space, of which near ones mean the
/// same (Jia et al., 2021; Jain et al., 2021).
///
/// One text encoder serves both tasks: to match pictures with texts, and texts with their translations.
///
///     let model = try DualEncoder(.mini, vocabulary: tokenizer.count, using: generator)
///     let pictures = try model.pictures(pixels)            // [batch, 256]
///     let texts = try model.texts(tokenizer.batch(words))  // [batch, 256]
///     let similarity = try texts.matmul(pictures.transposed())
public final class DualEncoder: Module {
  /// Looks at pictures.
  public let imageTower: any ImageTower
  /// Reads texts.
  public let textTower: any TextTower
  /// From a picture's features to the common space; `nil` where an EfficientNet has the space's dimension, as ALIGN's B7.
  public let imageProjection: Linear?
  /// From a text's features to the common space.
  public let textProjection: Linear
  /// From a text's features to where it is compared with translations; `nil` if that is the same space.
  public let translationProjection: Linear?
  /// The natural logarithm of one over the temperature of pictures and texts, of rank 0.
  public let pictureScale: Parameter
  /// That of texts and their translations, which want another.
  public let translationScale: Parameter
  /// What it is made of.
  public let configuration: DualEncoderConfiguration

  /// Where it computes.
  public var device: Device { pictureScale.value.device }

  /// A temperature does not fall below one over this (Radford et al., 2021).
  public static let greatestScale = 100.0

  /// A model with random weights.
  ///
  /// - Parameters:
  ///   - configuration: What it is made of.
  ///   - vocabulary: How many tokens its tokenizer has.
  ///   - generator: Draws the first values, and what training drops.
  /// - Throws: `TensorError` if memory or a size does not allow it, ``RetrievalError`` if a setting is outside what is allowed.
  public init(
    _ configuration: DualEncoderConfiguration,
    vocabulary: Int,
    using generator: Generator
  ) throws {
    try configuration.check()
    self.configuration = configuration
    imageTower =
      switch configuration.image.network {
      case .efficientNet(let width, let depth, let dropping):
        try EfficientNet(
          EfficientNetSize(
            width: width,
            depth: depth,
            resolution: configuration.image.resolution,
            dropout: 0
          ),
          dropping: dropping,
          using: generator
        )
      case .residual(let widths, let depth):
        try ResidualTower(widths: widths, depth: depth, using: generator)
      }
    let text = configuration.text
    textTower =
      switch text.network {
      case .bert(let width, let layers, let heads, let pooling):
        TransformerTower(
          try BERT(
            BERTConfiguration(
              vocabulary: vocabulary,
              width: width,
              layers: layers,
              heads: heads,
              positions: text.limit,
              types: 1,
              dropout: text.dropout
            ),
            using: generator
          ),
          pooling: pooling
        )
      case .bag(let width, let layers):
        try BagTower(
          tokens: vocabulary,
          width: width,
          layers: layers,
          dropout: text.dropout,
          using: generator
        )
      }
    let dimension = configuration.dimension
    func projection(_ features: Int) throws -> Linear {
      try Linear(features, dimension, using: generator)
    }
    // B7's features are ALIGN's own space; what ends with a relu would leave half of the space empty.
    let isSpace =
      if case .efficientNet = configuration.image.network {
        imageTower.features == dimension
      } else { false }
    imageProjection = isSpace ? nil : try projection(imageTower.features)
    textProjection = try projection(textTower.features)
    translationProjection =
      configuration.heads == .perTask ? try projection(textTower.features) : nil
    let scale = try Tensor.full(-log(configuration.temperature), shape: [])
    pictureScale = try Parameter(scale)
    translationScale = try Parameter(scale)
    // ALIGN decays weights, not what has one or no dimension.
    for parameter in parameters where parameter.value.rank < 2 { parameter.decayFactor = 0 }
  }

  /// Pictures as points of the common space.
  ///
  /// - Parameter pixels: `[batch, 3, height, width]`, `float32` in `0...1`, of the configuration's resolution.
  /// - Returns: `[batch, dimension]`, rows of length 1.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func pictures(_ pixels: Tensor) throws -> Tensor {
    let features = try imageTower((pixels - 0.5) * 2)
    return try (imageProjection.map { try $0(features) } ?? features).to(.float32).normalizedRows()
  }

  /// Texts as points of the common space.
  ///
  /// - Parameter batch: The texts' tokens, as many of each as the configuration says at most.
  /// - Returns: `[batch, dimension]`, rows of length 1.
  /// - Throws: `TensorError` if a text is too long.
  public func texts(_ batch: TokenBatch) throws -> Tensor {
    try captions(features: textTower(batch))
  }

  /// The text tower's features as points of the common space.
  ///
  /// - Parameter features: `[batch, features]`.
  /// - Returns: `[batch, dimension]`, rows of length 1.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func captions(features: Tensor) throws -> Tensor {
    try textProjection(features).to(.float32).normalizedRows()
  }

  /// The text tower's features as points of the space where translations are compared.
  ///
  /// - Parameter features: `[batch, features]`.
  /// - Returns: `[batch, dimension]`, rows of length 1.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func translations(features: Tensor) throws -> Tensor {
    try (translationProjection ?? textProjection)(features).to(.float32).normalizedRows()
  }

  /// The temperature of pictures and texts, of rank 0.
  public func pictureTemperature() throws -> Tensor { try Self.temperature(pictureScale) }

  /// The temperature of texts and translations, of rank 0.
  public func translationTemperature() throws -> Tensor { try Self.temperature(translationScale) }

  /// Keeps temperatures from falling below one over ``greatestScale``, after a step: within it, they would lose their gradient there.
  func limitTemperatures() throws {
    for scale in [pictureScale, translationScale] {
      try withoutGradient { try scale.assign(scale.value.clamped(to: log(Self.greatestScale))) }
    }
  }

  private static func temperature(_ scale: Parameter) throws -> Tensor {
    try exp(-scale.value)
  }
}

extension DualEncoderConfiguration {
  /// Refuses what no model can be made of.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument``, naming the setting.
  func check() throws {
    func require(_ condition: Bool, _ message: String) throws {
      if !condition { throw RetrievalError(code: .invalidArgument, message: message) }
    }
    try require((1...65_536).contains(dimension), "'dimension' is outside 1...65536")
    try require(
      (8...4096).contains(image.resolution),
      "'resolution' of the image tower is outside 8...4096"
    )
    try require((2...65_536).contains(text.limit), "'limit' of the text tower is outside 2...65536")
    try require((0..<1).contains(text.dropout), "'dropout' of the text tower is outside 0..<1")
    try require(
      temperature.isFinite && temperature >= 0.01 && temperature <= 100,
      "'temperature' is outside 0.01...100"
    )
    switch image.network {
    case .efficientNet(let width, let depth, let dropping):
      try require(
        (0.1...8).contains(width) && (0.1...8).contains(depth) && (0..<1).contains(dropping),
        "the EfficientNet's width and depth are outside 0.1...8, or its dropping outside 0..<1"
      )
    case .residual(let widths, let depth):
      try require(
        (1...8).contains(widths.count) && widths.allSatisfy { (1...4096).contains($0) }
          && (1...16).contains(depth),
        "the residual network has not 1 to 8 stages of 1 to 4096 channels and 1 to 16 blocks"
      )
    }
    switch text.network {
    case .bert(let width, let layers, let heads, _):
      try require(
        (1...8192).contains(width) && (0...96).contains(layers) && (1...width).contains(heads)
          && width.isMultiple(of: heads),
        "BERT's width is outside 1...8192, its layers outside 0...96, or its heads do not divide the width"
      )
    case .bag(let width, let layers):
      try require(
        (1...8192).contains(width) && (0...96).contains(layers),
        "the bag's width is outside 1...8192, or its layers outside 0...96"
      )
    }
  }
}
