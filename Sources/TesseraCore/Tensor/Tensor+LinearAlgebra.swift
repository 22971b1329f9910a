internal import CTessera

extension Tensor {
  /// The matrix product over the last two dimensions; the others broadcast.
  public func matmul(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_matmul) }

  /// The products of two batches of matrices, `[batch, n, m]` and `[batch, m, p]`.
  public func batchedMatmul(_ other: Tensor) throws -> Tensor {
    try mapped(with: other, tessera_bmm)
  }

  /// All products of an element of one vector and an element of the other: `[n, m]`.
  public func outer(_ other: Tensor) throws -> Tensor { try mapped(with: other, tessera_outer) }

  /// The determinant of square matrices.
  public func determinant() throws -> Tensor { try mapped(tessera_det) }

  /// The inverse of square matrices.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/numerical`` if one has none.
  public func inverse() throws -> Tensor { try mapped(tessera_linalg_inv) }

  /// The thin singular value decomposition `u · diag(s) · vᵀ` of `[…, m, n]`, with `k = min(m, n)`.
  ///
  /// - Returns: `u` as `[…, m, k]`, `s` as `[…, k]` in descending order, and the transpose of `v` as `[…, k, n]`.
  public func singularValues() throws -> (u: Tensor, s: Tensor, vTransposed: Tensor) {
    let parts = try Tensor.call("aten::linalg_svd", .tensor(self), .bool(false))
    return (parts[0], parts[1], parts[2])
  }

  /// The reduced QR decomposition of `[…, m, n]`: `q` with orthonormal columns, `r` upper triangular.
  public func qr() throws -> (q: Tensor, r: Tensor) {
    let parts = try Tensor.call("aten::linalg_qr", .tensor(self), .string("reduced"))
    return (parts[0], parts[1])
  }

  /// The eigenvalues in ascending order, and the eigenvectors as columns, of symmetric matrices.
  ///
  /// Only the lower triangle is read.
  public func symmetricEigen() throws -> (values: Tensor, vectors: Tensor) {
    let parts = try Tensor.call("aten::linalg_eigh", .tensor(self), .string("L"))
    return (parts[0], parts[1])
  }

  /// The `x` for which `self · x = b`.
  ///
  /// - Throws: ``TensorError`` with code ``TensorError/Code/numerical`` if the matrix is singular.
  public func solve(_ b: Tensor) throws -> Tensor {
    try Tensor.call("aten::linalg_solve", .tensor(self), .tensor(b)).single()
  }

  /// The lower triangular `l` with `l · lᵀ = self`, for symmetric positive definite matrices.
  public func cholesky() throws -> Tensor {
    try Tensor.call("aten::linalg_cholesky", .tensor(self)).single()
  }
}

/// The sum of products that `equation` describes, as in NumPy: `einsum("bij,bjk->bik", a, b)`.
public func einsum(_ equation: String, _ tensors: Tensor...) throws -> Tensor {
  try einsum(equation, tensors)
}

/// The sum of products of the listed tensors that `equation` describes.
public func einsum(_ equation: String, _ tensors: [Tensor]) throws -> Tensor {
  try Tensor.withPointers(tensors) { list in
    try Tensor.produced { tessera_einsum(equation, list, tensors.count, $0) }
  }
}
