internal import CTessera

/// The inner product of a row and a query.
package struct VisitedProduct {
  /// The row.
  package var row: Int
  /// The query.
  package var query: Int
  /// The product, rounded as this machine's kernel does.
  package var score: Float
}

extension Tensor {
  /// Shows the inner products of this tensor's rows with queries that are above a floor, which rises with what has been seen.
  ///
  /// Rows are read once, by as many threads as LibTorch uses here; products that are not above the floor are never written. NaN is above
  /// nothing.
  ///
  /// - Parameters:
  ///   - queries: `[queries, dimension]`; this tensor is `[rows, dimension]`. Both are `float32`.
  ///   - floors: Of each query.
  ///   - body: Is shown products in ascending order of the rows, and says what the query's floor is from then on.
  /// - Throws: ``TensorError`` if shapes or types do not fit, or memory is short.
  package func visitProducts(
    with queries: Tensor,
    above floors: [Float],
    _ body: (VisitedProduct) -> Float
  ) throws {
    guard shape.count == 2, queries.shape == [floors.count, shape[1]], dtype == .float32,
      queries.dtype == .float32
    else {
      throw TensorError(
        code: .shapeMismatch,
        message: "no products of \(self) with \(queries) and \(floors.count) floors"
      )
    }
    let raised = UnsafeMutableBufferPointer<Float>.allocate(capacity: floors.count)
    defer { raised.deallocate() }
    _ = raised.initialize(from: floors)
    try withBytes { rows in
      try queries.withBytes { queries in
        guard let rows = rows.baseAddress, let queries = queries.baseAddress,
          let first = raised.baseAddress
        else { return }
        try withoutActuallyEscaping(body) { body in
          var visit = ProductVisit(floors: raised, body: body)
          try withUnsafeMutablePointer(to: &visit) { visit in
            try check(
              tessera_visit_products(
                rows.assumingMemoryBound(to: Float.self),
                shape[0],
                shape[1],
                queries.assumingMemoryBound(to: Float.self),
                floors.count,
                first,
                { visit, hits, count in
                  visit?.assumingMemoryBound(to: ProductVisit.self).pointee
                    .show(UnsafeBufferPointer(start: hits, count: count))
                },
                visit
              )
            )
          }
        }
      }
    }
  }
}

/// Who is shown what the kernel finds.
private struct ProductVisit {
  let floors: UnsafeMutableBufferPointer<Float>
  let body: (VisitedProduct) -> Float

  func show(_ hits: UnsafeBufferPointer<TesseraHit>) {
    for hit in hits {
      let query = Int(hit.query)
      // The kernel has compared with the floor that there was when it began with the block.
      guard hit.score > floors[query] else { continue }
      floors[query] = body(VisitedProduct(row: Int(hit.row), query: query, score: hit.score))
    }
  }
}
