public import TesseraCore

/// Attention with several heads over learned projections (Vaswani et al., 2017).
public final class MultiHeadAttention: Module, ModeDependent {
  /// Queries, keys and values in one product: `[3 · width, width]`.
  public let input: Linear
  /// `[width, width]`.
  public let output: Linear
  /// The number of heads, which divides the width.
  public let heads: Int
  /// Applied to the attention weights.
  public let dropout: Dropout?
  /// Only training drops.
  public var mode = Mode.training
  private let width: Int

  /// A layer of the given width.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/invalidArgument`` if `heads` does not divide `width`.
  public init(
    width: Int,
    heads: Int,
    dropout: Double = 0,
    hasBias: Bool = true,
    using generator: Generator
  ) throws {
    guard heads > 0, width % heads == 0 else {
      throw TensorError(
        code: .invalidArgument,
        message: "\(heads) heads do not divide a width of \(width)"
      )
    }
    input = try Linear(
      width,
      product(of: [3, width]),
      hasBias: hasBias,
      initializer: .xavierUniform(),
      using: generator
    )
    output = try Linear(width, width, hasBias: hasBias, using: generator)
    self.heads = heads
    self.width = width
    self.dropout = dropout > 0 ? try Dropout(dropout, using: generator) : nil
  }

  /// Self-attention.
  ///
  /// - Parameters:
  ///   - x: `[batch, length, width]`.
  ///   - mask: Broadcasts to `[batch, heads, length, length]`; true where attention is allowed, or numbers to add.
  ///   - isCausal: Whether a position sees only itself and earlier ones.
  /// - Returns: `[batch, length, width]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(
    _ x: Tensor,
    mask: Tensor? = nil,
    isCausal: Bool = false
  ) throws -> Tensor {
    let projected = try input(x)
    let parts = try projected.split(into: [width, width, width], along: -1)
    return try attend(parts[0], parts[1], parts[2], mask, isCausal)
  }

  /// Attention of one sequence to another.
  ///
  /// - Parameters:
  ///   - query: `[batch, queries, width]`.
  ///   - key: `[batch, keys, width]`.
  ///   - value: `[batch, keys, width]`.
  ///   - mask: Broadcasts to `[batch, heads, queries, keys]`; true where attention is allowed, or numbers to add.
  /// - Returns: `[batch, queries, width]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor? = nil
  ) throws -> Tensor {
    func projected(_ x: Tensor, _ part: Int) throws -> Tensor {
      let rows = part * width..<(part + 1) * width
      return try x.linear(
        weight: input.weight.value.slices(in: rows),
        bias: input.bias?.value.slices(in: rows)
      )
    }
    return try attend(projected(query, 0), projected(key, 1), projected(value, 2), mask, false)
  }

  private func attend(
    _ query: Tensor,
    _ key: Tensor,
    _ value: Tensor,
    _ mask: Tensor?,
    _ isCausal: Bool
  ) throws -> Tensor {
    let (q, k, v) = (try split(query), try split(key), try split(value))
    let mixed: Tensor
    if let dropout, mode == .training {
      mixed = try weights(q, k, mask, isCausal, dropout).matmul(v)
    } else {
      mixed = try attention(query: q, key: k, value: v, mask: mask, isCausal: isCausal)
    }
    return try output(mixed.transposed(1, 2).flattened(from: 2))
  }

  /// `[batch, length, width]` as `[batch, heads, length, width / heads]`.
  private func split(_ x: Tensor) throws -> Tensor {
    let shape = x.shape
    guard shape.count == 3 else {
      throw TensorError(
        code: .shapeMismatch,
        message: "attention needs [batch, length, width], got shape \(shape)"
      )
    }
    return try x.reshaped(to: [shape[0], shape[1], heads, width / heads]).transposed(1, 2)
  }

  /// LibTorch's fused kernel draws dropout from the global generator, so with dropout the weights are formed here.
  private func weights(
    _ q: Tensor,
    _ k: Tensor,
    _ mask: Tensor?,
    _ isCausal: Bool,
    _ dropout: Dropout
  ) throws -> Tensor {
    var scores = try q.matmul(k.transposed()) * (1 / Double(width / heads).squareRoot())
    if let mask {
      scores =
        mask.dtype == .bool
        ? try scores.filled(-.infinity, where: mask.not()) : try scores + mask
    }
    if isCausal {
      let shape = scores.shape
      let later = try Tensor.ones([shape[2], shape[3]], on: scores.device)
        .upperTriangle(diagonal: 1).to(.bool)
      scores = try scores.filled(-.infinity, where: later)
    }
    // Unlike a plain softmax it gives zeros, not NaN, to a query that may see no key: a row of padding.
    return try dropout(Tensor.call("aten::_safe_softmax", .tensor(scores), .int(-1)).single())
  }
}
