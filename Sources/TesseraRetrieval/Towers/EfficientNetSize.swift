/// A size of ``EfficientNet``: how much wider and deeper it is than B0, and the images that it was made for.
public struct EfficientNetSize: Sendable, Hashable {
  /// What channels are multiplied by.
  public var width: Double
  /// What repetitions of blocks are multiplied by.
  public var depth: Double
  /// Height and width of the images that it was made for, in pixels.
  public var resolution: Int
  /// The share of features that a classifier's head drops in training.
  public var dropout: Double

  /// A size.
  public init(width: Double, depth: Double, resolution: Int, dropout: Double) {
    self.width = width
    self.depth = depth
    self.resolution = resolution
    self.dropout = dropout
  }

  /// B0, 5.3 million parameters with the head for 1,000 classes.
  public static let b0 = Self(width: 1, depth: 1, resolution: 224, dropout: 0.2)
  /// B1, 7.8 million.
  public static let b1 = Self(width: 1, depth: 1.1, resolution: 240, dropout: 0.2)
  /// B2, 9.1 million.
  public static let b2 = Self(width: 1.1, depth: 1.2, resolution: 260, dropout: 0.3)
  /// B3, 12 million.
  public static let b3 = Self(width: 1.2, depth: 1.4, resolution: 300, dropout: 0.3)
  /// B4, 19 million.
  public static let b4 = Self(width: 1.4, depth: 1.8, resolution: 380, dropout: 0.4)
  /// B5, 30 million: the image tower of `mural-base`.
  public static let b5 = Self(width: 1.6, depth: 2.2, resolution: 456, dropout: 0.4)
  /// B6, 43 million.
  public static let b6 = Self(width: 1.8, depth: 2.6, resolution: 528, dropout: 0.5)
  /// B7, 66 million: the image tower of `mural-large`.
  public static let b7 = Self(width: 2, depth: 3.1, resolution: 600, dropout: 0.5)

  /// How many channels there are where B0 has `channels`: the nearest multiple of eight that is not more than a tenth smaller.
  func channels(_ channels: Int) -> Int {
    let wanted = Double(channels) * width
    let rounded = max(8, Int((wanted + 4) / 8) * 8)
    return Double(rounded) < 0.9 * wanted ? rounded + 8 : rounded
  }

  /// How many blocks there are where B0 has `count`.
  func blocks(_ count: Int) -> Int { Int((Double(count) * depth).rounded(.up)) }
}
