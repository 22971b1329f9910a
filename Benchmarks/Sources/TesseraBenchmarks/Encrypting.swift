import Foundation
import Measuring
import TesseraCore
import TesseraFederation

/// Encrypting, adding and decrypting a model of 25 million `float32` weights on all cores.
///
/// `Benchmarks/measure encryption` runs it beside TenSEAL (`Benchmarks/tenseal_peer.py`) and compares.
enum Encrypting {
  /// Prints one line of JSON: seconds of each step and bytes of one upload.
  ///
  /// The public key encrypts, as in TenSEAL's default, or the secret one.
  static func run(primes: Int, isPublic: Bool, count: Int) async throws {
    let generator = try Generator(seed: 1)
    let model = try ModelState([
      (name: "a", tensor: try Tensor.normal([count / 2], deviation: 0.05, using: generator)),
      (
        name: "b", tensor: try Tensor.normal([count - count / 2], deviation: 0.05, using: generator)
      ),
    ])
    let secretKey = try CKKSSecretKey(parameters: CKKSParameters(ciphertextPrimes: primes))
    let context = secretKey.context
    let pool = LanePool(lanes: ProcessInfo.processInfo.activeProcessorCount)
    func encrypted() async throws -> ModelState {
      // To the bytes that travel, as in the rest: what a site and an aggregator do, from bytes to bytes.
      let encrypted =
        isPublic
        ? try await context.encrypt(model, weight: 0.5, on: pool)
        : try await secretKey.encrypt(model, weight: 0.5, on: pool)
      return try encrypted.state()
    }
    var upload = try await encrypted()
    let encrypting = try await seconds { upload = try await encrypted() }
    var sum = try EncryptedModelSum(of: ModelLayout(of: model), in: context)
    // The first finds the sum empty and adds nothing yet.
    try await sum.add(EncryptedModel(upload, in: context), from: "site", on: pool)
    let start = ContinuousClock.now
    try await sum.add(EncryptedModel(upload, in: context), from: "site", on: pool)
    let adding = (ContinuousClock.now - start) / .seconds(1)
    let total = try await sum.total(on: pool).state()
    var mean = model
    let decrypting = try await seconds {
      mean = try await secretKey.decrypt(EncryptedModel(total, in: context), on: pool)
    }
    let error = try zip(mean.tensors, model.tensors).map {
      try abs($0.to(.float64) - $1.to(.float64)).maximum().item()
    }.max()
    let figures: [String: Double] = [
      "encrypt": encrypting, "add": adding, "decrypt": decrypting,
      "bytes": Double(upload.byteCount), "error": error ?? .nan,
    ]
    print(String(decoding: try JSONEncoder().encode(figures), as: UTF8.self))
  }

  private static func seconds(_ body: () async throws -> Void) async rethrows -> Double {
    let start = ContinuousClock.now
    try await body()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}
