internal import CTessera

// What comparing updates with each other needs. One thread and a fixed order of additions: the same bits on any machine.
extension Tensor {
  /// The largest magnitude among the elements, NaN if one is not a number; 0 without elements.
  ///
  /// One pass, and no copy of the tensor.
  package func largestMagnitude() throws -> Double {
    var value = 0.0
    guard liesInFile, count > 0 else {
      try withExtendedLifetime(handle) { try check(tessera_largest_magnitude(pointer, &value)) }
      return value
    }
    let flat = try laidOut(as: .rowMajor).reshaped(to: [-1])
    for start in stride(from: 0, to: count, by: 1 << 18) {
      let part = try flat.slices(in: start..<Swift.min(start + 1 << 18, count))
      var largest = 0.0
      try withExtendedLifetime(part.handle) {
        try check(tessera_largest_magnitude(part.pointer, &largest))
      }
      part.giveBackPages()
      guard !largest.isNaN else { return largest }
      value = Swift.max(value, largest)
    }
    return value
  }

  /// `‖self − other‖²` over all elements, or `‖self‖²` without another tensor.
  package func squaredDistance(to other: Tensor?) throws -> Double {
    var value = 0.0
    try withExtendedLifetime((handle, other?.handle)) {
      try check(tessera_squared_distance(pointer, other?.pointer, &value))
    }
    return value
  }

  /// The elements of each column of a `[rows, columns]` tensor in ascending order.
  ///
  /// - Throws: ``TensorError`` if the tensor is no matrix of `float32` or `float64`.
  package func sortedColumns() throws -> Tensor { try mapped(tessera_sorted_columns) }

  /// Adds `‖row i − row j‖²` to `sums[i · rows + j]` for all i < j.
  package func addSquaredDistances(to sums: inout [Double], rows: Int) throws {
    guard rows > 0, sums.count == rows * rows else {
      throw TensorError(code: .shapeMismatch, message: "\(sums.count) sums for \(rows) rows")
    }
    try withExtendedLifetime(handle) {
      try sums.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        try check(tessera_add_squared_distances(pointer, base, rows))
      }
    }
  }
}
