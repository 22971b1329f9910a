internal import Crypto
internal import CryptoExtras
internal import Foundation

/// The pseudo-random stream of a 256-bit key: AES in counter mode over zeros, from counter 0.
///
/// A key has one stream and serves for nothing else, so the nonce is zero.
struct KeyStream: Sendable {
  /// Small enough to stay in a core's cache between encryption and addition.
  private static let chunk = Data(count: 1 << 16)

  private let key: SymmetricKey
  private var blocks: UInt64 = 0

  /// The stream of a key of 32 bytes.
  init(key: SymmetricKey) {
    self.key = key
  }

  /// Adds the stream to a vector, or takes it away, modulo 2^64: 8 bytes for each element, the lowest first.
  ///
  /// - Complexity: O(`vector.count`), some nanoseconds for an element where the processor has AES instructions.
  mutating func mask(_ vector: inout [UInt64], subtracting: Bool = false) {
    var start = 0
    while start < vector.count {
      let bytes = next(min(Self.chunk.count, (vector.count - start) * 8))
      // Pointers, because this loop is what secure aggregation spends its time on.
      bytes.withUnsafeBytes { stream in
        vector.withUnsafeMutableBufferPointer { elements in
          let count = stream.count / 8
          if subtracting {
            for i in 0..<count {
              elements[start + i] &-= UInt64(
                littleEndian: stream.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)
              )
            }
          } else {
            for i in 0..<count {
              elements[start + i] &+= UInt64(
                littleEndian: stream.loadUnaligned(fromByteOffset: i * 8, as: UInt64.self)
              )
            }
          }
        }
      }
      start += bytes.count / 8
    }
  }

  /// The next bytes, in whole blocks of 16 but for the last call.
  fileprivate mutating func next(_ count: Int) -> Data {
    let counter = (0..<8).map { UInt8(truncatingIfNeeded: blocks >> (56 - 8 * UInt64($0))) }
    blocks += UInt64(count + 15) / 16
    let zeros = count == Self.chunk.count ? Self.chunk : Data(count: count)
    do {
      let nonce = try AES._CTR.Nonce(nonceBytes: [UInt8](repeating: 0, count: 8) + counter)
      return try AES._CTR.encrypt(zeros, using: key, nonce: nonce)
    } catch {
      // Only a key or nonce of another length is refused, and no input decides about those.
      preconditionFailure("AES-256 in counter mode: \(error)")
    }
  }
}

/// Swift's random functions, fed from a key stream: fast, and as secret as the key.
struct KeyStreamNumbers: RandomNumberGenerator {
  private var stream: KeyStream
  private var buffer: [UInt64] = []
  private var position = 0

  init(key: SymmetricKey) {
    stream = KeyStream(key: key)
  }

  mutating func next() -> UInt64 {
    if position == buffer.count {
      buffer = [UInt64](repeating: 0, count: 512)
      stream.mask(&buffer)
      position = 0
    }
    defer { position += 1 }
    return buffer[position]
  }
}
