public import TesseraCore
public import TesseraNN

/// The encoder of BERT (Devlin et al., 2019): a vector for each token, which has seen all the others.
///
///     let encoder = try BERT(.mini(vocabulary: tokenizer.count), using: generator)
///     let (tokens, mask) = try tokenizer.batch(["a samovar", "самовар"]).padded()
///     let vectors = try encoder(tokens, mask: mask)  // [2, length, 256]
public final class BERT: Module, ModeDependent {
  /// What a token means, `[vocabulary, width]`.
  public let tokens: Embedding
  /// Where it stands, `[positions, width]`.
  public let positions: Embedding
  /// Which text of a pair it belongs to, `[types, width]`.
  public let types: Embedding
  /// Of the sum of the three.
  public let norm: LayerNorm
  /// One after the other.
  public let layers: [BERTLayer]
  /// Of the normalised sum.
  public let dropout: Dropout?
  /// The sizes.
  public let configuration: BERTConfiguration
  /// Only training drops.
  public var mode = Mode.training

  /// An encoder with random weights: normal with deviation 0.02, as in the paper's code.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/invalidArgument`` if the heads do not divide the width.
  public init(_ configuration: BERTConfiguration, using generator: Generator) throws {
    let width = configuration.width
    func table(_ entries: Int) throws -> Embedding {
      try Embedding(
        entries: entries,
        width: width,
        initializer: .normal(deviation: BERTLayer.deviation),
        using: generator
      )
    }
    tokens = try table(configuration.vocabulary)
    positions = try table(configuration.positions)
    types = try table(configuration.types)
    norm = try LayerNorm(width, epsilon: configuration.epsilon)
    layers = try (0..<max(0, configuration.layers)).map { _ in
      try BERTLayer(configuration, using: generator)
    }
    dropout =
      configuration.dropout > 0 ? try Dropout(configuration.dropout, using: generator) : nil
    self.configuration = configuration
  }

  /// The vectors of all tokens.
  ///
  /// - Parameters:
  ///   - numbers: Of the tokens of texts, none longer than there are positions: `[batch, length]`, `int64`.
  ///   - mask: Where there is a token of the text, `[batch, length]`, `bool`.
  /// - Returns: `[batch, length, width]`; what stands at padding means nothing.
  /// - Throws: ``TensorError`` if a text is too long, or a token's number too large.
  public func callAsFunction(_ numbers: Tensor, mask: Tensor) throws -> Tensor {
    guard numbers.rank == 2, numbers.shape == mask.shape else {
      throw TensorError(
        code: .shapeMismatch,
        message: """
          tokens and their mask need one shape [batch, length], got \(numbers.shape) and \(mask.shape)
          """
      )
    }
    let length = numbers.shape[1]
    guard length <= configuration.positions else {
      throw TensorError(
        code: .shapeMismatch,
        message: "a text of \(length) tokens has no room in \(configuration.positions) positions"
      )
    }
    let first = try types.weight.value.slice(at: 0)
    var x = try tokens(numbers) + positions.weight.value.slices(in: 0..<length) + first
    x = try norm(x)
    if let dropout { x = try dropout(x) }
    // Every token may look at every token of its own text.
    let mask = try mask.unsqueezed(1).unsqueezed(1)
    for layer in layers { x = try layer(x, mask: mask) }
    return x
  }
}

/// A layer of ``BERT``: attention, then two linear maps, each with a way around it and normalised afterwards.
public final class BERTLayer: Module, ModeDependent {
  /// Of each token to all.
  public let attention: MultiHeadAttention
  /// After attention.
  public let attentionNorm: LayerNorm
  /// To the width within.
  public let intermediate: Linear
  /// Back.
  public let output: Linear
  /// After both.
  public let outputNorm: LayerNorm
  /// Of what both parts add.
  public let dropout: Dropout?
  /// Only training drops.
  public var mode = Mode.training

  static let deviation = 0.02

  /// A layer with random weights.
  init(_ configuration: BERTConfiguration, using generator: Generator) throws {
    let width = configuration.width
    attention = try MultiHeadAttention(
      width: width,
      heads: configuration.heads,
      dropout: configuration.dropout,
      using: generator
    )
    attentionNorm = try LayerNorm(width, epsilon: configuration.epsilon)
    let initializer = Initializer.normal(deviation: Self.deviation)
    intermediate = try Linear(
      width,
      configuration.intermediate,
      initializer: initializer,
      using: generator
    )
    output = try Linear(
      configuration.intermediate,
      width,
      initializer: initializer,
      using: generator
    )
    outputNorm = try LayerNorm(width, epsilon: configuration.epsilon)
    dropout =
      configuration.dropout > 0 ? try Dropout(configuration.dropout, using: generator) : nil
    // Those of the attention are drawn by another rule.
    for linear in [attention.input, attention.output] {
      try linear.weight.assign(initializer(linear.weight.value.shape, using: generator))
    }
    for linear in [attention.input, attention.output, intermediate, output] {
      if let bias = linear.bias { try bias.assign(.zeros(bias.value.shape)) }
    }
  }

  /// The layer's output.
  ///
  /// - Parameters:
  ///   - x: `[batch, length, width]`.
  ///   - mask: `[batch, 1, 1, length]`, true where a token may be looked at.
  /// - Returns: `[batch, length, width]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor, mask: Tensor) throws -> Tensor {
    func dropped(_ x: Tensor) throws -> Tensor { try dropout.map { try $0(x) } ?? x }
    let attended = try attentionNorm(x + dropped(attention(x, mask: mask)))
    return try outputNorm(attended + dropped(output(gelu(intermediate(attended)))))
  }
}
