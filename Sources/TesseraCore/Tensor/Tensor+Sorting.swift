internal import CTessera

extension Tensor {
  /// The position of the greatest element along a dimension, as `int64`.
  public func argmax(along dimension: Int, keepingDimensions: Bool = false) throws -> Tensor {
    try mapped { tessera_argmax($0, dimension, false, keepingDimensions, $1) }
  }

  /// The position of the least element along a dimension, as `int64`.
  public func argmin(along dimension: Int, keepingDimensions: Bool = false) throws -> Tensor {
    try mapped { tessera_argmax($0, dimension, true, keepingDimensions, $1) }
  }

  /// The `k` greatest (or least) elements along a dimension, best first, and their positions.
  public func top(
    _ k: Int,
    along dimension: Int = -1,
    largest: Bool = true
  ) throws -> (values: Tensor, indices: Tensor) {
    try pair { tessera_topk($0, k, dimension, largest, $1, $2) }
  }

  /// The elements in order along a dimension, and the positions they came from.
  ///
  /// Equal elements keep their order.
  public func sorted(
    along dimension: Int = -1,
    descending: Bool = false
  ) throws -> (values: Tensor, indices: Tensor) {
    try pair { tessera_sort($0, dimension, descending, $1, $2) }
  }

  /// The positions of the elements in order along a dimension, as `int64`.
  ///
  /// Equal elements keep their order.
  public func argsort(along dimension: Int = -1, descending: Bool = false) throws -> Tensor {
    try sorted(along: dimension, descending: descending).indices
  }

  private func pair(
    _ operation: (OpaquePointer, Out, Out) -> TesseraCode
  ) throws -> (values: Tensor, indices: Tensor) {
    var second: OpaquePointer?
    let first = try mapped { operation($0, $1, &second) }
    guard let second else { throw TensorError(TESSERA_INTERNAL) }
    return (first, Tensor(owning: second))
  }
}
