internal import CTessera

extension Tensor {
  /// The greatest element of each window, over as many spatial dimensions as `kernel` has.
  ///
  /// - Parameters:
  ///   - kernel: The window's size.
  ///   - stride: The window's step; `kernel` if `nil`.
  ///   - padding: Added on both sides; never chosen.
  /// - Returns: `[batch, channels, …]`, with one element for each window.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func maxPooled(kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil) throws -> Tensor
  {
    let window = try Window(kernel, stride, padding)
    return try mapped {
      tessera_max_pool($0, kernel.count, kernel, window.stride, window.padding, $1)
    }
  }

  /// The mean of each window, over as many spatial dimensions as `kernel` has.
  ///
  /// - Parameters:
  ///   - kernel: The window's size.
  ///   - stride: The window's step; `kernel` if `nil`.
  ///   - padding: Zeros added on both sides.
  ///   - countingPadding: Whether those zeros count in the mean.
  /// - Returns: `[batch, channels, …]`, with one element for each window.
  /// - Throws: ``TensorError`` with code ``TensorError/Code/shapeMismatch`` if the shapes do not fit.
  public func averagePooled(
    kernel: [Int],
    stride: [Int]? = nil,
    padding: [Int]? = nil,
    countingPadding: Bool = true
  ) throws -> Tensor {
    let window = try Window(kernel, stride, padding)
    return try mapped {
      tessera_average_pool(
        $0,
        kernel.count,
        kernel,
        window.stride,
        window.padding,
        countingPadding,
        $1
      )
    }
  }

  /// The means of windows chosen so that the output has the given size.
  public func averagePooled(to size: [Int]) throws -> Tensor { try adaptivelyPooled(size, false) }

  /// The greatest elements of windows chosen so that the output has the given size.
  public func maxPooled(to size: [Int]) throws -> Tensor { try adaptivelyPooled(size, true) }

  private func adaptivelyPooled(_ size: [Int], _ maximum: Bool) throws -> Tensor {
    guard (1...3).contains(size.count) else {
      throw TensorError(
        code: .invalidArgument,
        message: "pooling works over 1 to 3 dimensions, not \(size.count)"
      )
    }
    return try mapped { tessera_adaptive_pool($0, size.count, size, maximum, $1) }
  }
}

private struct Window {
  let stride: [Int]
  let padding: [Int]

  init(_ kernel: [Int], _ stride: [Int]?, _ padding: [Int]?) throws {
    self.stride = stride ?? kernel
    self.padding = padding ?? [Int](repeating: 0, count: kernel.count)
    guard (1...3).contains(kernel.count), self.stride.count == kernel.count,
      self.padding.count == kernel.count
    else {
      throw TensorError(
        code: .invalidArgument,
        message: "pooling needs a kernel of 1 to 3 numbers, and as many for stride and padding"
      )
    }
  }
}
