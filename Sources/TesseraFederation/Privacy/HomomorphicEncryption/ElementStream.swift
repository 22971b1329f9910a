internal import TesseraCore

/// The elements of several tensors, one tensor after the other, as `Double`.
struct ElementStream: Sendable {
  private let names: [String]
  /// On the CPU, in row-major order, `float32` or `float64`.
  private let tensors: [Tensor]
  /// Where each tensor begins, and at last the number of all elements.
  private let offsets: [Int]

  /// - Throws: ``FederationError`` naming the tensor whose elements are not real numbers.
  init(_ entries: [(name: String, tensor: Tensor)]) throws {
    names = entries.map(\.name)
    tensors = try entries.map { name, tensor in
      guard tensor.dtype.isFloatingPoint else {
        throw FederationError(
          code: .invalidConfiguration,
          message: """
            \(name.isEmpty ? "a tensor" : "tensor '\(name)'") of \(tensor.dtype) cannot be encrypted: \
            CKKS encrypts floating-point numbers
            """
        )
      }
      let wide = try tensor.dtype == .float64 ? tensor : tensor.to(.float32)
      return try wide.detached().moved(to: .cpu).laidOut(as: .rowMajor)
    }
    offsets = tensors.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  /// The number of all elements.
  var count: Int { offsets[offsets.count - 1] }

  /// The name of the tensor that has the element at `position`.
  func name(at position: Int) -> String { names[index(at: position)] }

  /// Fills a buffer with the elements from `position` on; there are as many.
  func read(from position: Int, into buffer: UnsafeMutableBufferPointer<Double>) throws {
    var filled = 0
    var index = index(at: position)
    while filled < buffer.count {
      let start = position + filled - offsets[index]
      let length = min(tensors[index].count - start, buffer.count - filled)
      let target = UnsafeMutableBufferPointer(rebasing: buffer[filled..<filled + length])
      let isDouble = tensors[index].dtype == .float64
      try tensors[index].withBytes { bytes in
        if isDouble {
          let source = bytes.bindMemory(to: Double.self)
          for i in 0..<length { target[i] = source[start + i] }
        } else {
          let source = bytes.bindMemory(to: Float.self)
          for i in 0..<length { target[i] = Double(source[start + i]) }
        }
      }
      filled += length
      index += 1
    }
  }

  /// The tensor of the element at `position`: the last that begins there or before.
  private func index(at position: Int) -> Int {
    var (low, high) = (0, tensors.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if offsets[middle] <= position { low = middle } else { high = middle }
    }
    return low
  }
}
