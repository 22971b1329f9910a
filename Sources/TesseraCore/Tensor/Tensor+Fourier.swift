internal import CTessera

extension Tensor {
  /// How a Fourier transform is scaled.
  public enum FourierScaling: String, Sendable {
    /// Only the inverse is divided by the length.
    case backward
    /// Both are divided by the square root of the length.
    case orthonormal = "ortho"
    /// Only the forward transform is divided by the length.
    case forward
  }

  /// The discrete Fourier transform along a dimension.
  ///
  /// - Parameters:
  ///   - dimension: Counted from the end if negative.
  ///   - length: The input is cut or padded with zeros to it first; its own length if `nil`.
  ///   - scaling: Which transform is divided by the length.
  /// - Returns: A complex tensor with `length` elements along the dimension.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func fft(
    along dimension: Int = -1,
    length: Int? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_fft", length, dimension, scaling)
  }

  /// The inverse of ``fft(along:length:scaling:)``.
  public func inverseFFT(
    along dimension: Int = -1,
    length: Int? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_ifft", length, dimension, scaling)
  }

  /// The transform of real input: the `length / 2 + 1` values that determine the others.
  public func realFFT(
    along dimension: Int = -1,
    length: Int? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_rfft", length, dimension, scaling)
  }

  /// The inverse of ``realFFT(along:length:scaling:)``; give `length` if it is odd.
  public func inverseRealFFT(
    along dimension: Int = -1,
    length: Int? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_irfft", length, dimension, scaling)
  }

  /// The discrete Fourier transform along several dimensions: of images, along `[-2, -1]`.
  ///
  /// - Parameters:
  ///   - dimensions: Counted from the end if negative; all of them if empty.
  ///   - lengths: The input is cut or padded with zeros to them first, one for each dimension; its own if `nil`.
  ///   - scaling: Which transform is divided by the product of the lengths.
  /// - Returns: A complex tensor of those lengths.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/indexOutOfRange`` if there is no such dimension.
  public func fft(
    along dimensions: [Int],
    lengths: [Int]? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_fftn", lengths, dimensions, scaling)
  }

  /// The inverse of ``fft(along:lengths:scaling:)``.
  public func inverseFFT(
    along dimensions: [Int],
    lengths: [Int]? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_ifftn", lengths, dimensions, scaling)
  }

  /// The transform of real input along several dimensions, of the last of which `length / 2 + 1` values are kept.
  public func realFFT(
    along dimensions: [Int],
    lengths: [Int]? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_rfftn", lengths, dimensions, scaling)
  }

  /// The inverse of ``realFFT(along:lengths:scaling:)``; give `lengths` if the last is odd.
  public func inverseRealFFT(
    along dimensions: [Int],
    lengths: [Int]? = nil,
    scaling: FourierScaling = .backward
  ) throws -> Tensor {
    try fourier("aten::fft_irfftn", lengths, dimensions, scaling)
  }

  private func fourier(
    _ name: String,
    _ lengths: [Int]?,
    _ dimensions: [Int],
    _ scaling: FourierScaling
  ) throws -> Tensor {
    try Tensor.call(
      name,
      .tensor(self),
      lengths.map(Argument.ints) ?? .none,
      dimensions.isEmpty ? .none : .ints(dimensions),
      .string(scaling.rawValue)
    ).single()
  }

  private func fourier(
    _ name: String,
    _ length: Int?,
    _ dimension: Int,
    _ scaling: FourierScaling
  ) throws -> Tensor {
    try Tensor.call(
      name,
      .tensor(self),
      length.map(Argument.int) ?? .none,
      .int(dimension),
      .string(scaling.rawValue)
    ).single()
  }

  /// Complex numbers from `[…, 2]`, real and imaginary parts.
  public func asComplex() throws -> Tensor { try mapped(tessera_view_as_complex) }

  /// `[…, 2]`, real and imaginary parts, from complex numbers.
  public func asRealPairs() throws -> Tensor { try mapped(tessera_view_as_real) }

  /// The real parts.
  public func realPart() throws -> Tensor { try mapped(tessera_real) }

  /// The imaginary parts of complex numbers.
  public func imaginaryPart() throws -> Tensor { try mapped(tessera_imag) }

  /// The complex conjugates.
  public func conjugate() throws -> Tensor { try mapped(tessera_conj) }

  /// The angles of complex numbers in the plane, in radians.
  public func phase() throws -> Tensor { try mapped(tessera_angle) }
}
