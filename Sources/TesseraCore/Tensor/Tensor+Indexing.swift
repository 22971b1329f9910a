internal import CTessera

extension Tensor {
  /// The slice at one position along a dimension, which disappears.
  ///
  /// - Parameters:
  ///   - index: The position, counted from the end if negative.
  ///   - dimension: Counted from the end if negative.
  /// - Returns: A view of the tensor, of one dimension less.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such position.
  public func slice(at index: Int, along dimension: Int = 0) throws -> Tensor {
    let size = try size(of: dimension)
    guard (-size..<size).contains(index) else { throw outside("position \(index) is", dimension) }
    return try mapped { tessera_select($0, dimension, index, $1) }
  }

  /// The slices in a range of positions along a dimension.
  ///
  /// - Parameters:
  ///   - range: The positions; counted from the end if the first is negative, so that `-2..<0` takes the last two.
  ///   - dimension: Counted from the end if negative.
  ///   - step: The distance between the positions taken.
  /// - Returns: A view of the tensor, of the same rank.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if the range leaves the tensor.
  public func slices(
    in range: Range<Int>,
    along dimension: Int = 0,
    by step: Int = 1
  ) throws -> Tensor {
    let size = try size(of: dimension)
    let isFromEnd = range.lowerBound < 0
    let valid = isFromEnd ? -size...0 : 0...size
    guard valid.contains(range.lowerBound), valid.contains(range.upperBound) else {
      throw outside("positions \(range) are", dimension)
    }
    // LibTorch would count each end on its own, and read the end 0 of `-2..<0` as the first position.
    let offset = isFromEnd ? size : 0
    return try mapped {
      tessera_slice(
        $0,
        dimension,
        range.lowerBound + offset,
        range.upperBound + offset,
        step,
        $1
      )
    }
  }

  /// The size of a dimension, which counts from the end if negative.
  func size(of dimension: Int) throws -> Int {
    let shape = shape
    let axis = dimension < 0 ? dimension + shape.count : dimension
    guard shape.indices.contains(axis) else {
      throw TensorError(
        code: .indexOutOfRange,
        message: "a tensor of shape \(shape) has no dimension \(dimension)"
      )
    }
    return shape[axis]
  }

  /// Positions come from the caller's code, so unlike LibTorch's own message this one may name them.
  private func outside(_ positions: String, _ dimension: Int) -> TensorError {
    TensorError(
      code: .indexOutOfRange,
      message: "\(positions) outside dimension \(dimension) of shape \(shape)"
    )
  }

  /// The slices at the positions in `indices` (`int64`, rank 1), in that order.
  public func gathered(_ indices: Tensor, along dimension: Int = 0) throws -> Tensor {
    try mapped(with: indices) { tessera_index_select($0, dimension, $1, $2) }
  }

  /// For each place in `indices`, the element at that position along the dimension (`torch.gather`).
  ///
  /// - Parameters:
  ///   - indices: `int64`, of the tensor's rank.
  ///   - dimension: The dimension that positions count along.
  /// - Returns: A tensor of the shape of `indices`.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if a position is outside.
  public func gatheredElements(_ indices: Tensor, along dimension: Int) throws -> Tensor {
    try mapped(with: indices) { tessera_gather($0, dimension, $1, $2) }
  }

  /// The tensor with the elements of `source` written at the positions in `indices` (`torch.scatter`).
  ///
  /// - Parameters:
  ///   - source: Of the shape of `indices`.
  ///   - indices: `int64`, of the tensor's rank.
  ///   - dimension: The dimension that positions count along.
  ///   - adding: Whether to add to the elements there instead; the order of additions to one place is not fixed on GPUs.
  /// - Returns: A new tensor of the same shape.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if a position is outside.
  public func scattered(
    _ source: Tensor,
    at indices: Tensor,
    along dimension: Int,
    adding: Bool = false
  ) throws -> Tensor {
    try withExtendedLifetime((handle, source.handle, indices.handle)) {
      try Tensor.produced {
        tessera_scatter(pointer, dimension, indices.pointer, source.pointer, adding, $0)
      }
    }
  }

  /// The elements at the given positions, one index tensor per leading dimension; `nil` takes a whole dimension.
  ///
  ///     try image.elements(at: [nil, rows, columns])
  public func elements(at indices: [Tensor?]) throws -> Tensor {
    try Tensor.withPointers(indices) { list in
      try mapped { tessera_index($0, list, indices.count, $1) }
    }
  }

  /// The tensor with other values at the given positions.
  public func replacing(
    at indices: [Tensor?],
    with values: Tensor,
    adding: Bool = false
  ) throws -> Tensor {
    try Tensor.withPointers(indices) { list in
      try mapped(with: values) { tessera_index_put($0, list, indices.count, $1, adding, $2) }
    }
  }

  /// The elements where `mask` is true, in row-major order, as rank 1.
  public func elements(where mask: Tensor) throws -> Tensor {
    try mapped(with: mask, tessera_masked_select)
  }

  /// The tensor with one value where `mask` is true.
  public func filled(_ value: Double, where mask: Tensor) throws -> Tensor {
    try mapped(with: mask) { tessera_masked_fill($0, $1, value, $2) }
  }

  /// The positions of the elements that are not zero: `[count, rank]`, `int64`.
  public func positionsOfNonzero() throws -> Tensor { try mapped(tessera_nonzero) }

  /// 1 at the position that each whole number names, 0 elsewhere: `[…, classes]`, `int64`.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if an element is outside `0..<classes`, and
  ///   with ``TensorError/Code/shapeMismatch`` if the elements are no whole numbers.
  public func oneHot(classes: Int) throws -> Tensor {
    guard dtype.isInteger else {
      throw TensorError(code: .shapeMismatch, message: "classes are whole numbers, not \(dtype)")
    }
    guard classes > 0 else {
      throw TensorError(code: .invalidArgument, message: "one-hot codes of \(classes) classes")
    }
    let positions = try to(.int64)
    return try named("a class is outside 0..<\(classes)", if: .indexOutOfRange, .invalidArgument) {
      try positions.mapped { tessera_one_hot($0, classes, $1) }
    }
  }
}

/// Replaces LibTorch's message, for errors whose own would show an element or name nothing useful.
func named<Result>(
  _ message: String,
  if codes: TensorError.Code...,
  body: () throws -> Result
) throws -> Result {
  do {
    return try body()
  } catch let error as TensorError where codes.contains(error.code) {
    throw TensorError(code: .indexOutOfRange, message: message)
  }
}
