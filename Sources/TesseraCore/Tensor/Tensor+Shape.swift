internal import CTessera

extension Tensor {
  /// The same elements in another shape; one size may be -1, and follows from the others.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the counts differ.
  public func reshaped(to shape: [Int]) throws -> Tensor {
    try mapped { tessera_reshape($0, shape, shape.count, $1) }
  }

  /// The dimensions `first...last` merged into one.
  public func flattened(from first: Int = 0, to last: Int = -1) throws -> Tensor {
    try mapped { tessera_flatten($0, first, last, $1) }
  }

  /// The dimensions in another order, as a list of the earlier positions.
  public func permuted(to order: [Int]) throws -> Tensor {
    try mapped { tessera_permute($0, order, order.count, $1) }
  }

  /// Two dimensions exchanged.
  public func transposed(_ a: Int = -2, _ b: Int = -1) throws -> Tensor {
    try mapped { tessera_transpose($0, a, b, $1) }
  }

  /// The tensor repeated along dimensions of size 1 to fit `shape`, without a copy; -1 keeps a size.
  public func expanded(to shape: [Int]) throws -> Tensor {
    try mapped { tessera_expand($0, shape, shape.count, $1) }
  }

  /// Without the dimension, if its size is 1.
  public func squeezed(_ dimension: Int) throws -> Tensor {
    try mapped { tessera_squeeze($0, dimension, $1) }
  }

  /// With a new dimension of size 1 at the given place.
  public func unsqueezed(_ dimension: Int) throws -> Tensor {
    try mapped { tessera_unsqueeze($0, dimension, $1) }
  }

  /// The elements in the opposite order along the given dimensions.
  public func flipped(along dimensions: Int...) throws -> Tensor {
    try flipped(along: dimensions)
  }

  /// The elements in the opposite order along the listed dimensions.
  public func flipped(along dimensions: [Int]) throws -> Tensor {
    try mapped { tessera_flip($0, dimensions, dimensions.count, $1) }
  }

  /// The elements shifted along a dimension; those that leave at one end enter at the other.
  public func rolled(by shift: Int, along dimension: Int) throws -> Tensor {
    try Tensor.call("aten::roll", .tensor(self), .ints([shift]), .ints([dimension])).single()
  }

  /// The whole tensor repeated, with the number of repeats per dimension.
  public func repeated(_ times: Int...) throws -> Tensor {
    try repeated(times)
  }

  /// The whole tensor repeated, with a list of the number of repeats per dimension.
  public func repeated(_ times: [Int]) throws -> Tensor {
    try Tensor.call("aten::repeat", .tensor(self), .ints(times)).single()
  }

  /// The triangle below and on the diagonal, zeros elsewhere.
  public func lowerTriangle(diagonal: Int = 0) throws -> Tensor {
    try Tensor.call("aten::tril", .tensor(self), .int(diagonal)).single()
  }

  /// The triangle above and on the diagonal, zeros elsewhere.
  public func upperTriangle(diagonal: Int = 0) throws -> Tensor {
    try Tensor.call("aten::triu", .tensor(self), .int(diagonal)).single()
  }

  /// How ``padded(_:mode:)`` fills.
  public enum Padding: Hashable, Sendable {
    /// With one value.
    case constant(Double)
    /// With the elements mirrored at the edge, without the edge itself.
    case reflecting
    /// With the element at the edge.
    case repeating
  }

  /// The tensor with a margin.
  ///
  /// - Parameters:
  ///   - margins: Sizes before and after, beginning with the last dimension: `[left, right, top, bottom]`.
  ///   - mode: What to fill with.
  /// - Returns: A new tensor, larger by the margins.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func padded(_ margins: [Int], mode: Padding = .constant(0)) throws -> Tensor {
    let mirrored: (String, Argument) =
      switch mode {
      case .constant(let value): ("constant", .double(value))
      case .reflecting: ("reflect", .none)
      case .repeating: ("replicate", .none)
      }
    return try Tensor.call(
      "aten::pad",
      .tensor(self),
      .ints(margins),
      .string(mirrored.0),
      mirrored.1
    ).single()
  }

  /// The tensor cut along a dimension into pieces of the given sizes.
  public func split(into sizes: [Int], along dimension: Int = 0) throws -> [Tensor] {
    try Tensor.call(
      "aten::split_with_sizes",
      .tensor(self),
      .ints(sizes),
      .int(dimension)
    )
  }

  /// The tensor cut along a dimension into pieces of one size, the last of which may be smaller.
  ///
  /// - Parameters:
  ///   - count: The most pieces there are: sizes are rounded up, so that 5 elements in 4 pieces make 3, of 2, 2 and 1.
  ///   - dimension: Counted from the end if negative.
  /// - Returns: Views of the tensor, of the same rank.
  /// - Throws: ``TensorError`` if `count` is not above 0, or there is no such dimension.
  public func chunked(into count: Int, along dimension: Int = 0) throws -> [Tensor] {
    try Tensor.call("aten::chunk", .tensor(self), .int(count), .int(dimension))
  }

  /// The slices at all positions along a dimension, which disappears: the opposite of ``stack(_:along:)``.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func unbind(along dimension: Int = 0) throws -> [Tensor] {
    try Tensor.call("aten::unbind.int", .tensor(self), .int(dimension))
  }
}

/// The tensors one after the other along an existing dimension.
public func concatenate(_ tensors: [Tensor], along dimension: Int = 0) throws -> Tensor {
  try Tensor.withPointers(tensors) { list in
    try Tensor.produced { tessera_cat(list, tensors.count, dimension, $0) }
  }
}

/// The tensors, all of one shape, side by side along a new dimension.
public func stack(_ tensors: [Tensor], along dimension: Int = 0) throws -> Tensor {
  try Tensor.withPointers(tensors) { list in
    try Tensor.produced { tessera_stack(list, tensors.count, dimension, $0) }
  }
}
