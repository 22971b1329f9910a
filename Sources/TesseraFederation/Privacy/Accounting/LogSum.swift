internal import Foundation

/// A sum of positive terms that are given by their logarithms, and may be far beyond what a `Double` holds.
struct LogSum {
  private var largest = -Double.infinity
  private var scaled = 0.0

  /// Adds `exp(term)`.
  mutating func add(_ term: Double) {
    guard term > -.infinity else { return }
    if term <= largest {
      scaled += exp(term - largest)
    } else {
      scaled = scaled * exp(largest - term) + 1
      largest = term
    }
  }

  /// The logarithm of the sum.
  var logarithm: Double { largest == .infinity ? .infinity : largest + log(scaled) }

  /// The logarithm of one plus the sum, exact also where the sum is small beside it.
  var logarithmPlusOne: Double {
    let logarithm = logarithm
    return logarithm > 0 ? logarithm + log1p(exp(-logarithm)) : log1p(exp(logarithm))
  }
}

/// `log(n! / (k! (n - k)!))`.
func logBinomial(_ n: Int, _ k: Int) -> Double {
  lgamma(Double(n) + 1) - lgamma(Double(k) + 1) - lgamma(Double(n - k) + 1)
}

/// `log(exp(x) - 1)` for `x > 0`.
func logExpMinusOne(_ x: Double) -> Double {
  x > 40 ? x + log1p(-exp(-x)) : log(expm1(x))
}
