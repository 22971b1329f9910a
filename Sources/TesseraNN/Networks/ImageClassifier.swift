public import TesseraCore

/// A small convolutional classifier for small grey or colour images: quickstart's model.
///
/// Two convolutions that halve the image each, then two linear layers (after LeCun et al., 1998). They halve by their strides
/// (Springenberg et al., 2015): on one thread, pooling a wide output costs as much as the convolution.
public final class ImageClassifier: Layer {
  /// To 16 channels.
  public let conv1: Conv2d
  /// To 32 channels.
  public let conv2: Conv2d
  /// To 64 features.
  public let hidden: Linear
  /// To one logit per class.
  public let head: Linear

  /// A classifier with random weights.
  ///
  /// - Parameters:
  ///   - channels: Channels of the images.
  ///   - size: Height and width of the images, at least 1.
  ///   - classes: The number of classes.
  ///   - generator: Draws the first values.
  /// - Throws: `TensorError` if memory or a size does not allow it.
  public init(
    channels: Int = 1,
    size: Int = 28,
    classes: Int = 10,
    using generator: Generator
  ) throws {
    guard size >= 1 else {
      throw TensorError(code: .invalidArgument, message: "images cannot be \(size) pixels wide")
    }
    conv1 = try Conv2d(channels, 16, kernel: 5, stride: 2, padding: 2, using: generator)
    conv2 = try Conv2d(16, 32, kernel: 3, stride: 2, padding: 1, using: generator)
    // Each stride rounds up.
    let side = (size - 1) / 4 + 1
    hidden = try Linear(product(of: [32, side, side]), 64, using: generator)
    head = try Linear(64, classes, using: generator)
  }

  /// The logits.
  ///
  /// - Parameter x: `[batch, channels, size, size]`.
  /// - Returns: `[batch, classes]`.
  /// - Throws: `TensorError` if the shapes do not fit.
  public func callAsFunction(_ x: Tensor) throws -> Tensor {
    // The gradient that comes back from here lies as these rows do; a relu of the images before would read it across.
    let features = try conv2(relu(conv1(x))).flattened(from: 1)
    return try head(relu(hidden(relu(features))))
  }
}
