internal import CSEAL
internal import TesseraCore

// @unchecked Sendable, for the three of them: what the pointers refer to does not change, and SEAL locks its caches.

/// SEAL's tables for a set of parameters.
final class SEALContext: @unchecked Sendable {
  let pointer: OpaquePointer
  /// The size of each ciphertext with its second half as a seed, in bytes.
  let seededSize: Int
  /// The size of each ciphertext in full, in bytes.
  let fullSize: Int

  init(_ parameters: CKKSParameters) throws {
    let bits = parameters.coefficientModulusBits.map { Int32(clamping: $0) }
    guard (1024...32_768).contains(parameters.polynomialDegree) else {
      throw SEALContext.invalid("the degree is a power of two in 1024...32768", parameters)
    }
    var made: OpaquePointer?
    let code = bits.withUnsafeBufferPointer { list -> CSEALCode in
      guard let base = list.baseAddress else { return CSEAL_INVALID_ARGUMENT }
      var plain = CSEALParameters(
        degree: parameters.polynomialDegree,
        bits: base,
        bits_count: list.count,
        primes: parameters.ciphertextPrimes,
        scale_bits: Int32(clamping: parameters.scaleBits)
      )
      return cseal_context(&plain, &made)
    }
    guard code == CSEAL_OK, let made else {
      let isEmpty = code == CSEAL_INVALID_ARGUMENT
      let reason = isEmpty ? "there are no primes" : String(cString: cseal_last_message())
      throw SEALContext.invalid(reason, parameters)
    }
    pointer = made
    seededSize = cseal_ciphertext_size(made, true)
    fullSize = cseal_ciphertext_size(made, false)
    let magnitude = parameters.largestMagnitude
    guard magnitude > 0, magnitude.isFinite, parameters.largestTotalWeight >= 0x1p-20 else {
      throw SEALContext.invalid(
        "the largest magnitude \(magnitude) is not above 0, or leaves no room for weights",
        parameters
      )
    }
  }

  deinit { cseal_context_release(pointer) }

  private static func invalid(_ reason: String, _ parameters: CKKSParameters) -> FederationError {
    FederationError(
      code: .invalidConfiguration,
      message: """
        CKKS with degree \(parameters.polynomialDegree), primes of \
        \(parameters.coefficientModulusBits) bits, \(parameters.ciphertextPrimes) of them in a \
        ciphertext, and scale 2^\(parameters.scaleBits): \(reason)
        """
    )
  }
}

/// SEAL's secret key.
final class SEALSecretKey: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ body: (UnsafeMutablePointer<OpaquePointer?>) -> CSEALCode) throws {
    pointer = try produced(body)
  }

  deinit { cseal_secret_key_release(pointer) }
}

/// SEAL's public key.
final class SEALPublicKey: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ body: (UnsafeMutablePointer<OpaquePointer?>) -> CSEALCode) throws {
    pointer = try produced(body)
  }

  deinit { cseal_public_key_release(pointer) }
}

/// The handle that a call of the door makes.
func produced(
  _ body: (UnsafeMutablePointer<OpaquePointer?>) -> CSEALCode
) throws -> OpaquePointer {
  var made: OpaquePointer?
  try check(body(&made))
  guard let made else { throw TensorError(code: .internalFailure, message: "SEAL made nothing") }
  return made
}

/// Throws what SEAL reported last on this thread, unless `code` says that all went well.
func check(_ code: CSEALCode) throws {
  guard code != CSEAL_OK else { return }
  let message = String(cString: cseal_last_message())
  switch code {
  case CSEAL_INVALID_PARAMETERS:
    throw FederationError(code: .invalidConfiguration, message: message)
  case CSEAL_MALFORMED, CSEAL_OUT_OF_RANGE:
    throw FederationError(code: .rejectedUpdate, message: message)
  case CSEAL_OUT_OF_MEMORY: throw TensorError(code: .outOfMemory, message: message)
  case CSEAL_INVALID_ARGUMENT: throw TensorError(code: .invalidArgument, message: message)
  default: throw TensorError(code: .internalFailure, message: "SEAL: \(message)")
  }
}
