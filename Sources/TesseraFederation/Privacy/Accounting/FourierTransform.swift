internal import Foundation

/// The discrete Fourier transform of complex sequences whose length is a power of two (Cooley & Tukey, 1965).
///
/// Accounting stays plain arithmetic on numbers, which any thread may do; so it does not go through tensors.
struct FourierTransform: Sendable {
  /// How long the sequences are.
  let count: Int
  /// `exp(-2πi·k/count)` for the first half, each from its own angle so that errors do not grow along the table.
  private let cosines: [Double]
  private let sines: [Double]

  /// A transform of the smallest power of two that holds `minimumCount` values.
  init(minimumCount: Int) {
    var count = 2
    while count < minimumCount { count *= 2 }
    self.count = count
    let unit = -2 * Double.pi / Double(count)
    cosines = (0..<count / 2).map { cos(unit * Double($0)) }
    sines = (0..<count / 2).map { sin(unit * Double($0)) }
  }

  /// Replaces a sequence `x` by `X[k] = Σ x[j]·exp(-2πi·jk/count)`.
  func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
    reorder(&real, &imaginary)
    // By pointer, as each access to an array is a call in an unoptimised build, and there are millions. All positions are
    // below `count`, which both sequences have, and factors below half of it.
    real.withUnsafeMutableBufferPointer { real in
      imaginary.withUnsafeMutableBufferPointer { imaginary in
        cosines.withUnsafeBufferPointer { cosines in
          sines.withUnsafeBufferPointer { sines in
            guard let real = real.baseAddress, let imaginary = imaginary.baseAddress,
              let cosines = cosines.baseAddress, let sines = sines.baseAddress
            else { return }
            combine(real, imaginary, cosines, sines)
          }
        }
      }
    }
  }

  private func combine(
    _ real: UnsafeMutablePointer<Double>,
    _ imaginary: UnsafeMutablePointer<Double>,
    _ cosines: UnsafePointer<Double>,
    _ sines: UnsafePointer<Double>
  ) {
    var half = 1
    while half < count {
      let stride = count / (2 * half)
      var start = 0
      while start < count {
        var offset = 0
        while offset < half {
          let cosine = cosines[offset * stride]
          let sine = sines[offset * stride]
          let upper = start + offset
          let lower = upper + half
          let a = real[lower] * cosine - imaginary[lower] * sine
          let b = real[lower] * sine + imaginary[lower] * cosine
          real[lower] = real[upper] - a
          imaginary[lower] = imaginary[upper] - b
          real[upper] += a
          imaginary[upper] += b
          offset += 1
        }
        start += 2 * half
      }
      half *= 2
    }
  }

  /// Replaces `X` by the `x` it is the transform of.
  func inverse(_ real: inout [Double], _ imaginary: inout [Double]) {
    // With both parts exchanged, the forward transform runs the other way round.
    transform(&imaginary, &real)
    let scale = 1 / Double(count)
    for index in 0..<count {
      real[index] *= scale
      imaginary[index] *= scale
    }
  }

  /// Puts each value where the bits of its position, read backwards, say.
  private func reorder(_ real: inout [Double], _ imaginary: inout [Double]) {
    var reversed = 0
    for index in 1..<count {
      var bit = count / 2
      while reversed & bit != 0 {
        reversed ^= bit
        bit /= 2
      }
      reversed |= bit
      if index < reversed {
        real.swapAt(index, reversed)
        imaginary.swapAt(index, reversed)
      }
    }
  }
}
