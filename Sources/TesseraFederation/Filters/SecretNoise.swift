internal import Crypto
internal import Foundation
internal import TesseraCore

/// Noise that protects: drawn from a secret by AES in counter mode, so that whoever learns some of it cannot compute the rest.
///
/// `float64` arithmetic has gaps that true noise has not (Mironov, 2012): against an adversary who reads the lowest bits of
/// released numbers, that is a weakness of all noise in floating point.
struct SecretNoise {
  /// The stream that everything is drawn from.
  var numbers: KeyStreamNumbers

  /// The noise of a source that serves for nothing else.
  init(_ source: SecretSource) {
    numbers = source.numbers("noise")
  }

  /// A number in `0 ..< 1`, of 53 bits.
  mutating func uniform() -> Double { Double(numbers.next() >> 11) * 0x1p-53 }

  /// Normal noise, `float64` (Box and Muller, 1958).
  mutating func normal(_ shape: [Int], deviation: Double) throws -> Tensor {
    let count = shape.reduce(1, *)
    var values = [Double](repeating: 0, count: count + count % 2)
    for place in stride(from: 0, to: count, by: 2) {
      // 1 - u is never 0.
      let length = deviation * (-2 * log(1 - uniform())).squareRoot()
      let angle = 2 * Double.pi * uniform()
      values[place] = length * cos(angle)
      values[place + 1] = length * sin(angle)
    }
    if count % 2 == 1 { values.removeLast() }
    return try Tensor(values, shape: shape)
  }

  /// Laplace noise, `float64`, as the difference of two exponential draws: finite whatever is drawn.
  mutating func laplace(_ shape: [Int], scale: Double) throws -> Tensor {
    var values = [Double](repeating: 0, count: shape.reduce(1, *))
    for place in values.indices {
      values[place] = scale * (log1p(-uniform()) - log1p(-uniform()))
    }
    return try Tensor(values, shape: shape)
  }

  /// SHA-256 of tensors, as hexadecimal text.
  static func digest(of tensors: [Tensor]) throws -> String {
    var hash = SHA256()
    for tensor in tensors {
      hash.update(data: Data("\(tensor.dtype) \(tensor.shape);".utf8))
      try tensor.withBytes { hash.update(bufferPointer: $0) }
    }
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
  }
}
