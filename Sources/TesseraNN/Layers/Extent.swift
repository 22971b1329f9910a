/// A number of spatial dimensions, known to the compiler.
public protocol SpatialRank: Sendable {
  /// How many dimensions there are.
  static var count: Int { get }
}

/// Sequences: `[batch, channels, length]`.
public enum Spatial1d: SpatialRank {
  /// 1.
  public static var count: Int { 1 }
}

/// Images: `[batch, channels, height, width]`.
public enum Spatial2d: SpatialRank {
  /// 2.
  public static var count: Int { 2 }
}

/// Volumes: `[batch, channels, depth, height, width]`.
public enum Spatial3d: SpatialRank {
  /// 3.
  public static var count: Int { 3 }
}

/// A size per spatial dimension, written as one number for all (`3`) or as a list (`[3, 5]`).
public struct Extent: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
  private let sizes: [Int]

  /// The same size for all dimensions.
  public init(_ size: Int) { sizes = [size] }

  /// One size for each dimension.
  public init(_ sizes: [Int]) { self.sizes = sizes }

  /// The same size for all dimensions.
  public init(integerLiteral size: Int) { self.init(size) }

  /// One size for each dimension.
  public init(arrayLiteral sizes: Int...) { self.init(sizes) }

  /// The sizes for `count` dimensions.
  func callAsFunction(_ count: Int) -> [Int] {
    sizes.count == 1 ? [Int](repeating: sizes[0], count: count) : sizes
  }
}
