public import TesseraCore

/// The greatest element of each window of a sequence.
public typealias MaxPool1d = MaxPool<Spatial1d>
/// The greatest element of each window of an image.
public typealias MaxPool2d = MaxPool<Spatial2d>
/// The greatest element of each window of a volume.
public typealias MaxPool3d = MaxPool<Spatial3d>
/// The mean of each window of a sequence.
public typealias AveragePool1d = AveragePool<Spatial1d>
/// The mean of each window of an image.
public typealias AveragePool2d = AveragePool<Spatial2d>
/// The mean of each window of a volume.
public typealias AveragePool3d = AveragePool<Spatial3d>
/// Means of a sequence, to a fixed length.
public typealias AdaptiveAveragePool1d = AdaptiveAveragePool<Spatial1d>
/// Means of an image, to a fixed size.
public typealias AdaptiveAveragePool2d = AdaptiveAveragePool<Spatial2d>
/// Means of a volume, to a fixed size.
public typealias AdaptiveAveragePool3d = AdaptiveAveragePool<Spatial3d>
/// Greatest elements of a sequence, to a fixed length.
public typealias AdaptiveMaxPool1d = AdaptiveMaxPool<Spatial1d>
/// Greatest elements of an image, to a fixed size.
public typealias AdaptiveMaxPool2d = AdaptiveMaxPool<Spatial2d>
/// Greatest elements of a volume, to a fixed size.
public typealias AdaptiveMaxPool3d = AdaptiveMaxPool<Spatial3d>

/// The greatest element of each window.
public final class MaxPool<Rank: SpatialRank>: Layer {
  private let kernel: [Int], stride: [Int], padding: [Int]

  /// Windows of a size, a step (the size, if `nil`) and a margin.
  public init(_ kernel: Extent, stride: Extent? = nil, padding: Extent = 0) {
    self.kernel = kernel(Rank.count)
    self.stride = (stride ?? kernel)(Rank.count)
    self.padding = padding(Rank.count)
  }

  /// The layer's output, for `[batch, channels, …spatial]`.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.maxPooled(kernel: kernel, stride: stride, padding: padding)
  }
}

/// The mean of each window.
public final class AveragePool<Rank: SpatialRank>: Layer {
  private let kernel: [Int], stride: [Int], padding: [Int]

  /// Windows of a size, a step (the size, if `nil`) and a margin of zeros that count.
  public init(_ kernel: Extent, stride: Extent? = nil, padding: Extent = 0) {
    self.kernel = kernel(Rank.count)
    self.stride = (stride ?? kernel)(Rank.count)
    self.padding = padding(Rank.count)
  }

  /// The layer's output, for `[batch, channels, …spatial]`.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    try x.averagePooled(kernel: kernel, stride: stride, padding: padding)
  }
}

/// Means of windows chosen so that the output has a fixed size.
public final class AdaptiveAveragePool<Rank: SpatialRank>: Layer {
  private let size: [Int]

  /// A layer with outputs of the given spatial size.
  public init(to size: Extent) { self.size = size(Rank.count) }

  /// The layer's output, for `[batch, channels, …spatial]`.
  public func callAsFunction(_ x: Tensor) throws -> Tensor { try x.averagePooled(to: size) }
}

/// Greatest elements of windows chosen so that the output has a fixed size.
public final class AdaptiveMaxPool<Rank: SpatialRank>: Layer {
  private let size: [Int]

  /// A layer with outputs of the given spatial size.
  public init(to size: Extent) { self.size = size(Rank.count) }

  /// The layer's output, for `[batch, channels, …spatial]`.
  public func callAsFunction(_ x: Tensor) throws -> Tensor { try x.maxPooled(to: size) }
}
