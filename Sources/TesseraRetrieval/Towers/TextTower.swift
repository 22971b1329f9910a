public import TesseraCore
public import TesseraNN

/// The part of a model that reads texts.
public protocol TextTower: Module {
  /// How many numbers describe a text.
  var features: Int { get }

  /// The features of texts.
  ///
  /// - Parameter batch: One text or more.
  /// - Returns: `[batch, features]`.
  /// - Throws: `TensorError` if a text is too long, or a token's number too large.
  func callAsFunction(_ batch: TokenBatch) throws -> Tensor
}

/// A ``BERT`` whose tokens' vectors become one.
public final class TransformerTower: TextTower {
  /// Reads the tokens.
  public let encoder: BERT
  /// How their vectors become one.
  public let pooling: TextPooling

  /// A tower around an encoder.
  public init(_ encoder: BERT, pooling: TextPooling = .first) {
    self.encoder = encoder
    self.pooling = pooling
  }

  /// The encoder's width.
  public var features: Int { encoder.configuration.width }

  /// The features of texts.
  ///
  /// Texts of like length are read together: a short one does not wait for the longest of the batch.
  ///
  /// - Parameter batch: One text or more.
  /// - Returns: `[batch, features]`.
  /// - Throws: `TensorError` if a text is too long, or a token's number too large.
  public func callAsFunction(_ batch: TokenBatch) throws -> Tensor {
    let device = encoder.tokens.weight.value.device
    // Sorting alone does not make the order depend on the system: equal lengths stay in order.
    let order = batch.rows.indices.sorted {
      (batch.rows[$0].count, $0) < (batch.rows[$1].count, $1)
    }
    var parts: [Tensor] = []
    for group in Self.groups(order.map { batch.rows[$0].count }) {
      let part = TokenBatch(order[group].map { batch.rows[$0] }, padding: batch.padding)
      let (tokens, mask) = try part.padded(on: device)
      parts.append(try pooling(encoder(tokens, mask: mask), mask: mask))
    }
    guard parts.count != 1 else { return parts[0] }
    var places = [Int64](repeating: 0, count: order.count)
    for (place, row) in order.enumerated() { places[row] = Int64(place) }
    return try concatenate(parts).gathered(Tensor(places, shape: [places.count], on: device))
  }

  /// Where sorted lengths are cut: a group has at least 64 texts, and none of less than three quarters of its longest's length.
  private static func groups(_ lengths: [Int]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    var end = lengths.count
    while end > 0 {
      let longest = lengths[end - 1]
      var start = max(0, end - 64)
      while start > 0, lengths[start - 1] * 4 >= longest * 3 { start -= 1 }
      // No small rest.
      if start < 32 { start = 0 }
      groups.append(start..<end)
      end = start
    }
    return groups.isEmpty ? [0..<0] : groups.reversed()
  }
}

/// The mean of a text's tokens' vectors, then some residual layers: for ``CharacterNGrams``, whose order says little.
public final class BagTower: TextTower {
  /// `[tokens, width]`.
  public let table: EmbeddingBag
  /// One after the other.
  public let layers: [BagLayer]
  /// Of the last layer's output.
  public let norm: LayerNorm
  /// How many numbers describe a text.
  public let features: Int

  /// A tower with random weights.
  ///
  /// - Parameters:
  ///   - tokens: How many tokens there are.
  ///   - width: How many numbers describe a token, and a text.
  ///   - layers: How many residual layers follow.
  ///   - dropout: The share of elements that training drops within them.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    tokens: Int,
    width: Int,
    layers: Int,
    dropout: Double = 0,
    using generator: Generator
  ) throws {
    table = try EmbeddingBag(
      entries: tokens,
      width: width,
      initializer: .normal(deviation: 0.1),
      using: generator
    )
    self.layers = try (0..<max(0, layers)).map { _ in
      try BagLayer(width: width, dropout: dropout, using: generator)
    }
    norm = try LayerNorm(width)
    features = width
  }

  /// The features of texts.
  ///
  /// - Parameter batch: One text or more.
  /// - Returns: `[batch, features]`.
  /// - Throws: `TensorError` if a token's number is too large.
  public func callAsFunction(_ batch: TokenBatch) throws -> Tensor {
    let (tokens, offsets) = try batch.bags(on: table.weight.value.device)
    return try norm(layers.reduce(table(tokens, offsets: offsets)) { try $1($0) })
  }
}

/// A layer of ``BagTower``: two linear maps of the normalised input, and a way around them.
public final class BagLayer: Layer {
  /// Of the input.
  public let norm: LayerNorm
  /// To four times the width.
  public let intermediate: Linear
  /// Back.
  public let output: Linear
  /// Of what the layer adds.
  public let dropout: Dropout?

  init(width: Int, dropout: Double, using generator: Generator) throws {
    norm = try LayerNorm(width)
    intermediate = try Linear(width, 4 * width, using: generator)
    output = try Linear(4 * width, width, using: generator)
    self.dropout = dropout > 0 ? try Dropout(dropout, using: generator) : nil
  }

  /// The layer's output.
  ///
  /// - Parameter x: `[batch, width]`.
  /// - Returns: `[batch, width]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    let added = try output(gelu(intermediate(norm(x))))
    return try x + (dropout.map { try $0(added) } ?? added)
  }
}
