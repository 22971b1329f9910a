internal import CTessera

/// How values between elements are found when a tensor is resized.
public enum Interpolation: String, Hashable, Sendable {
  /// The element next to the place.
  case nearest
  /// A straight line, plane or volume between neighbours.
  case linear
  /// Cubic polynomials, for two spatial dimensions.
  case cubic
}

extension Tensor {
  /// `[batch, channels, …spatial]` with other spatial sizes, one to three of them.
  ///
  /// - Parameters:
  ///   - size: The new spatial sizes.
  ///   - interpolation: How values between elements are found.
  ///   - aligningCorners: Whether the outer elements' centres stay where they are, instead of their outer edges.
  /// - Returns: `[batch, channels, …size]`.
  /// - Throws: ``TensorError`` if the interpolation does not exist for this number of dimensions.
  public func resized(
    to size: [Int],
    using interpolation: Interpolation,
    aligningCorners: Bool = false
  ) throws -> Tensor {
    let name =
      switch (interpolation, size.count) {
      case (.nearest, 1): "aten::upsample_nearest1d"
      case (.nearest, 2): "aten::upsample_nearest2d"
      case (.nearest, 3): "aten::upsample_nearest3d"
      case (.linear, 1): "aten::upsample_linear1d"
      case (.linear, 2): "aten::upsample_bilinear2d"
      case (.linear, 3): "aten::upsample_trilinear3d"
      case (.cubic, 2): "aten::upsample_bicubic2d"
      default: ""
      }
    guard !name.isEmpty, rank == size.count + 2 else {
      throw TensorError(
        code: .shapeMismatch,
        message: "\(interpolation) resizing to \(size) does not fit a tensor of shape \(shape)"
      )
    }
    if interpolation == .nearest {
      return try Tensor.call(name, .tensor(self), .ints(size)).single()
    }
    return try Tensor.call(name, .tensor(self), .ints(size), .bool(aligningCorners)).single()
  }
}
