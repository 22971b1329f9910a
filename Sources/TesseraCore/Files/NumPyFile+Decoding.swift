extension NumPyFile {
  /// The array whose `.npy` file has these bytes.
  static func decoded(_ bytes: UnsafeRawBufferPointer, name: String) throws -> Tensor {
    let header = try NumPyHeader(bytes, name: name)
    func malformed(_ what: String) -> TensorError {
      TensorError(code: .malformedFile, message: "\(name) \(what)")
    }
    guard let size = try? Tensor.byteCount(of: header.shape, dtype: header.dtype) else {
      throw malformed("is not a NumPy file: \(header.shape) is not the shape of an array")
    }
    let expected = size / header.dtype.byteCount * header.elementSize
    let data = UnsafeRawBufferPointer(rebasing: bytes[header.dataOffset...])
    guard data.count >= expected else {
      throw malformed(
        "is truncated: shape \(header.shape) needs \(expected) bytes, it has \(data.count)"
      )
    }
    let shape = header.isColumnMajor ? header.shape.reversed() : header.shape
    func tensor(_ elements: UnsafeRawBufferPointer) throws -> Tensor {
      switch header.unsigned {
      case nil: return try Tensor(bytes: elements, shape: shape, dtype: header.dtype)
      case .uint16: return try Tensor(widened(elements, UInt16.self, to: Int32.self), shape: shape)
      case .uint32: return try Tensor(widened(elements, UInt32.self, to: Int64.self), shape: shape)
      case .uint64:
        let numbers = widened(elements, UInt64.self, to: Int64.self)
        guard !numbers.contains(where: { $0 < 0 }) else {
          throw malformed("holds whole numbers beyond the range of int64")
        }
        return try Tensor(numbers, shape: shape)
      }
    }
    let elements = UnsafeRawBufferPointer(rebasing: data.prefix(expected))
    let rowMajor =
      try header.isBigEndian
      ? byteSwapped(elements, width: header.swapWidth).withUnsafeBytes(tensor) : tensor(elements)
    guard header.isColumnMajor else { return rowMajor }
    return try rowMajor.permuted(to: Array((0..<shape.count).reversed())).laidOut(as: .rowMajor)
  }

  /// The stored numbers in a type with a sign; those that it lacks come out negative.
  private static func widened<Stored: UnsignedInteger & BitwiseCopyable, Wide: FixedWidthInteger>(
    _ bytes: UnsafeRawBufferPointer,
    _ stored: Stored.Type,
    to wide: Wide.Type
  ) -> [Wide] {
    stride(from: 0, to: bytes.count, by: MemoryLayout<Stored>.size).map { offset in
      Wide(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: offset, as: stored))
    }
  }

  private static func byteSwapped(_ bytes: UnsafeRawBufferPointer, width: Int) -> [UInt8] {
    var swapped = [UInt8](repeating: 0, count: bytes.count)
    for start in stride(from: 0, to: bytes.count, by: width) {
      for i in 0..<width { swapped[start + i] = bytes[start + width - 1 - i] }
    }
    return swapped
  }
}
