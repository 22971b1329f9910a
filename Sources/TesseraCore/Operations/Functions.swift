internal import CTessera

/// `e` to the power of each element.
public func exp(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_exp) }

/// The natural logarithm.
public func log(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_log) }

/// The logarithm to base 2.
public func log2(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_log2) }

/// The logarithm to base 10.
public func log10(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_log10) }

/// `log(1 + x)`, exact for small `x`.
public func log1p(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_log1p) }

/// `exp(x) - 1`, exact for small `x`.
public func expm1(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_expm1) }

/// The square root; NaN for negative elements.
public func sqrt(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_sqrt) }

/// `1 / sqrt(x)`.
public func rsqrt(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_rsqrt) }

/// The sine of angles in radians.
public func sin(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_sin) }

/// The cosine of angles in radians.
public func cos(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_cos) }

/// The tangent of angles in radians.
public func tan(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_tan) }

/// The angle in radians whose sine is given.
public func asin(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_asin) }

/// The angle in radians whose cosine is given.
public func acos(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_acos) }

/// The angle in radians whose tangent is given.
public func atan(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_atan) }

/// The hyperbolic sine.
public func sinh(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_sinh) }

/// The hyperbolic cosine.
public func cosh(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_cosh) }

/// The hyperbolic tangent.
public func tanh(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_tanh) }

/// The error function.
public func erf(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_erf) }

/// The magnitude.
public func abs(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_abs) }

/// The largest whole number that is not greater.
public func floor(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_floor) }

/// The smallest whole number that is not less.
public func ceil(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_ceil) }

/// The whole number next towards zero.
public func trunc(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_trunc) }

/// -1, 0 or 1.
public func sign(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_sign) }

/// `max(x, 0)`.
public func relu(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_relu) }

/// `1 / (1 + exp(-x))`.
public func sigmoid(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_sigmoid) }

/// `x · sigmoid(x)`, also called swish (Ramachandran et al., 2017).
public func silu(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_silu) }

/// `x · tanh(softplus(x))` (Misra, 2019).
public func mish(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_mish) }

/// A piecewise approximation of ``silu(_:)`` (Howard et al., 2019).
public func hardswish(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_hardswish) }

/// `log(sigmoid(x))`, without underflow.
public func logSigmoid(_ x: Tensor) throws -> Tensor { try x.mapped(tessera_log_sigmoid) }

/// The Gaussian error linear unit, `x · Φ(x)` (Hendrycks and Gimpel, 2016).
///
/// - Parameters:
///   - x: Of any shape.
///   - approximate: Whether to use the paper's approximation by `tanh`.
/// - Returns: A tensor of the same shape.
/// - Throws: ``TensorError`` if the elements are no floating-point numbers.
public func gelu(_ x: Tensor, approximate: Bool = false) throws -> Tensor {
  try x.mapped { tessera_gelu($0, approximate, $1) }
}

/// `x` where positive, otherwise `slope · x`.
public func leakyRelu(_ x: Tensor, slope: Double = 0.01) throws -> Tensor {
  try x.mapped { tessera_leaky_relu($0, slope, $1) }
}

/// `x` where positive, otherwise `alpha · (exp(x) - 1)` (Clevert et al., 2015).
public func elu(_ x: Tensor, alpha: Double = 1) throws -> Tensor {
  try x.mapped { tessera_elu($0, alpha, $1) }
}

/// `log(1 + exp(beta · x)) / beta`, a smooth ``relu(_:)``.
public func softplus(_ x: Tensor, beta: Double = 1) throws -> Tensor {
  try x.mapped { tessera_softplus($0, beta, $1) }
}

/// `exp(x) / Σ exp(x)` along a dimension.
public func softmax(_ x: Tensor, along dimension: Int) throws -> Tensor {
  try x.mapped { tessera_softmax($0, dimension, false, $1) }
}

/// `log(softmax(x))` along a dimension, without underflow.
public func logSoftmax(_ x: Tensor, along dimension: Int) throws -> Tensor {
  try x.mapped { tessera_softmax($0, dimension, true, $1) }
}

/// The angle in radians of the point (`x`, `y`), in `-π...π`.
public func atan2(_ y: Tensor, _ x: Tensor) throws -> Tensor {
  try y.mapped(with: x, tessera_atan2)
}
