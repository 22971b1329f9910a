public import TesseraCore
public import Testing

/// Records an issue unless two tensors have one shape and every pair of elements is close.
///
/// Close means a distance of at most `absolute + relative · |expected|`; NaN is close to NaN, and an infinity to itself.
/// Whole numbers and truth values are compared as `float64`, and complex numbers part by part.
///
/// - Parameters:
///   - actual: What was computed.
///   - expected: What it should be.
///   - absolute: The distance that is always allowed.
///   - relative: The distance allowed as a share of the expected element.
///   - note: Says which of several comparisons failed.
///   - sourceLocation: Where the issue is recorded.
public func expectClose(
  _ actual: Tensor,
  _ expected: Tensor,
  absolute: Double = 1e-6,
  relative: Double = 1e-5,
  _ note: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    let found = try difference(actual, expected, absolute: absolute, relative: relative)
    guard let found else { return }
    Issue.record("\(note.isEmpty ? "" : "\(note): ")\(found)", sourceLocation: sourceLocation)
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}

/// Records an issue unless a tensor has these elements in row-major order.
///
/// - Parameters:
///   - actual: What was computed.
///   - expected: Its elements, as many as it has.
///   - absolute: The distance that is always allowed.
///   - relative: The distance allowed as a share of the expected element.
///   - sourceLocation: Where the issue is recorded.
public func expectClose(
  _ actual: Tensor,
  _ expected: [Double],
  absolute: Double = 1e-6,
  relative: Double = 1e-5,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  do {
    let shaped =
      try actual.count == expected.count ? Tensor(expected, shape: actual.shape) : Tensor(expected)
    expectClose(
      actual,
      shaped,
      absolute: absolute,
      relative: relative,
      sourceLocation: sourceLocation
    )
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}

/// How two tensors differ, or `nil` if they are close: their shapes, or the worst place.
///
/// The last index of a place among complex numbers is 0 for the real and 1 for the imaginary part.
public func difference(
  _ actual: Tensor,
  _ expected: Tensor,
  absolute: Double,
  relative: Double
) throws -> String? {
  guard actual.shape == expected.shape else {
    return "\(actual) where \(expected) was expected"
  }
  let isComplex = actual.dtype.isComplex || expected.dtype.isComplex
  func numbers(_ tensor: Tensor) throws -> [Double] {
    let tensor = try tensor.detached()
    guard isComplex else { return try tensor.to(.float64).array() }
    // Conjugates that are not yet computed have no parts to look at; laying them out computes them.
    return try tensor.to(.complex128).laidOut(as: .rowMajor).asRealPairs().array()
  }
  let found = try numbers(actual)
  let wanted = try numbers(expected)
  var worst: (index: Int, excess: Double)?
  var wrong = 0
  for (index, (a, b)) in zip(found, wanted).enumerated() {
    if a == b || (a.isNaN && b.isNaN) { continue }
    let distance = abs(a - b) / (absolute + relative * abs(b))
    let excess = distance.isNaN ? .infinity : distance
    guard excess > 1 else { continue }
    wrong += 1
    if excess > worst?.excess ?? 1 { worst = (index, excess) }
  }
  guard let worst else { return nil }
  return """
    \(wrong) of \(found.count) elements of \(actual) differ; the worst, at \
    \(position(worst.index, in: actual.shape + (isComplex ? [2] : []))), is \(found[worst.index]) where \
    \(wanted[worst.index]) was expected
    """
}

/// The index per dimension of the element at an offset in row-major order.
private func position(_ offset: Int, in shape: [Int]) -> [Int] {
  var rest = offset
  var indices: [Int] = []
  for size in shape.reversed() {
    indices.append(rest % size)
    rest /= size
  }
  return indices.reversed()
}
