internal import TesseraCore

/// Codes of elements in blocks, each relative to the largest magnitude of its block.
struct BlockCode {
  /// How many elements a block has; the last one may have fewer.
  let size: Int

  /// How many blocks so many elements make.
  func count(of elements: Int) -> Int { elements / size + (elements % size > 0 ? 1 : 0) }

  /// The codes of at least one finite element, and the blocks' largest magnitudes.
  ///
  /// `code` gets blocks as `[blocks, size]` within `-1...1`, and gives any number of codes in their order.
  func coded(
    _ tensor: Tensor,
    by code: (Tensor) throws -> Tensor
  ) throws -> (codes: Tensor, scales: Tensor) {
    var codes: [Tensor] = []
    var scales: [Tensor] = []
    for piece in try pieces(of: tensor) {
      let blocks = try piece.to(tensor.dtype.computing)
      let largest = try abs(blocks).maximum(along: 1, keepingDimensions: true)
      // Blocks of zeros stay so, whatever they are divided by.
      let divisor = try largest.filled(1, where: largest.equals(0))
      codes.append(try code(blocks / divisor).flattened())
      scales.append(try largest.flattened())
    }
    return (try concatenate(codes), try concatenate(scales))
  }

  /// The elements by codes, one for each, and scales, one for each block: flat, in row-major order, in the scales' dtype.
  func decoded(_ codes: Tensor, _ scales: Tensor) throws -> Tensor {
    var block = 0
    let parts = try pieces(of: codes).map { piece in
      defer { block += piece.shape[0] }
      let own = try scales.slices(in: block..<block + piece.shape[0]).unsqueezed(1)
      return try (piece * own).flattened()
    }
    return try parts.count == 1 ? parts[0] : concatenate(parts)
  }

  /// The elements as several `[blocks, size]` that fit a processor's cache, the last one of a single block that may be short.
  private func pieces(of tensor: Tensor) throws -> [Tensor] {
    let flat = try tensor.flattened()
    let whole = flat.count / size * size
    var pieces: [Tensor] = []
    let step = max(1, (1 << 18) / size) * size
    for start in stride(from: 0, to: whole, by: step) {
      pieces.append(
        try flat.slices(in: start..<min(start + step, whole)).reshaped(to: [-1, size])
      )
    }
    if whole < flat.count {
      pieces.append(try flat.slices(in: whole..<flat.count).unsqueezed(0))
    }
    return pieces
  }
}
