internal import TesseraCore

/// The product of sizes that come from a caller or a configuration, refusing those that no tensor has.
///
/// - Throws: `TensorError` with code `shapeMismatch` if a size is negative or the product overflows.
func product(of sizes: [Int]) throws -> Int {
  try sizes.reduce(1) { total, size in
    let (product, overflows) = total.multipliedReportingOverflow(by: size)
    guard size >= 0, !overflows else {
      throw TensorError(code: .shapeMismatch, message: "no tensor has sizes \(sizes)")
    }
    return product
  }
}
