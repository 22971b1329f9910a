internal import CTessera

/// How a convolution moves over its input: one number per spatial dimension.
public struct ConvolutionGeometry: Hashable, Sendable {
  /// The step of the kernel.
  public var stride: [Int]
  /// Zeros added on both sides.
  public var padding: [Int]
  /// The distance between the kernel's elements.
  public var dilation: [Int]
  /// Into how many groups channels are divided; each output group sees one input group.
  public var groups: Int

  /// Makes a geometry.
  public init(stride: [Int], padding: [Int], dilation: [Int], groups: Int = 1) {
    self.stride = stride
    self.padding = padding
    self.dilation = dilation
    self.groups = groups
  }
}

extension Tensor {
  /// The convolution with a kernel, over one to three spatial dimensions.
  ///
  /// The tensor is `[batch, inputChannels, …spatial]`.
  ///
  /// - Parameters:
  ///   - weight: `[outputChannels, inputChannels / groups, …kernel]`.
  ///   - bias: `[outputChannels]`.
  ///   - geometry: One number per spatial dimension.
  /// - Returns: `[batch, outputChannels, …spatial]`.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func convolved(
    with weight: Tensor,
    bias: Tensor? = nil,
    geometry: ConvolutionGeometry
  ) throws -> Tensor {
    try convolution(weight, bias, geometry, transposed: false, outputPadding: nil)
  }

  /// The transposed convolution: the derivative of a convolution by its input, used to enlarge.
  ///
  /// - Parameters:
  ///   - weight: `[inputChannels, outputChannels / groups, …kernel]`.
  ///   - bias: `[outputChannels]`.
  ///   - geometry: One number per spatial dimension.
  ///   - outputPadding: Added to one side of the output, where the stride leaves its size open.
  /// - Returns: `[batch, outputChannels, …]`.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func transposeConvolved(
    with weight: Tensor,
    bias: Tensor? = nil,
    geometry: ConvolutionGeometry,
    outputPadding: [Int]? = nil
  ) throws -> Tensor {
    try convolution(weight, bias, geometry, transposed: true, outputPadding: outputPadding)
  }

  private func convolution(
    _ weight: Tensor,
    _ bias: Tensor?,
    _ geometry: ConvolutionGeometry,
    transposed: Bool,
    outputPadding: [Int]?
  ) throws -> Tensor {
    let spatial = geometry.stride.count
    let extra = outputPadding ?? [Int](repeating: 0, count: spatial)
    guard geometry.padding.count == spatial, geometry.dilation.count == spatial,
      extra.count == spatial
    else {
      throw TensorError(
        code: .invalidArgument,
        message: "stride, padding and dilation must have one number per spatial dimension"
      )
    }
    return try withExtendedLifetime((handle, weight.handle, bias?.handle)) {
      try Tensor.produced {
        tessera_convolution(
          pointer,
          weight.pointer,
          bias?.pointer,
          spatial,
          geometry.stride,
          geometry.padding,
          geometry.dilation,
          transposed,
          extra,
          geometry.groups,
          $0
        )
      }
    }
  }

  /// `x · weightᵀ + bias`.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, inputs]`.
  ///   - bias: `[outputs]`.
  /// - Returns: `[…, outputs]`.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func linear(weight: Tensor, bias: Tensor? = nil) throws -> Tensor {
    try withExtendedLifetime((handle, weight.handle, bias?.handle)) {
      try Tensor.produced { tessera_linear(pointer, weight.pointer, bias?.pointer, $0) }
    }
  }
}
