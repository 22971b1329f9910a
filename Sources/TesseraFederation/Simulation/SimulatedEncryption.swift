internal import TesseraCore

/// Homomorphic encryption in a simulation: a key for all simulated sites, and what they do with it.
///
/// Keys and ciphertexts follow from the run's key, so that its bits repeat: whoever runs a simulation has all data anyway.
struct SimulatedEncryption: Sendable {
  private let key: CKKSSecretKey
  /// What sites do with their models, last of all.
  let encrypt: EncryptModel

  /// A key.
  ///
  /// - Parameters:
  ///   - examples: How many examples all sites have together.
  ///   - key: What the key follows from.
  /// - Throws: ``FederationError`` if SEAL refuses the parameters.
  init(examples: Int, key: RandomKey) throws {
    self.key = try CKKSSecretKey(randomness: .insecureReproducible(key))
    encrypt = try EncryptModel(key: self.key, examples: examples, reproducibly: true)
  }

  /// What the aggregator has of the key.
  var context: CKKSContext { key.context }

  /// Reads a global model as a site does; as it is, without encryption.
  static func reader(
    _ encryption: SimulatedEncryption?
  ) -> @Sendable (Exchange) throws -> ModelState {
    guard let encryption else { return { $0.tensors } }
    let decrypt = DecryptModel(key: encryption.key)
    return { exchange in
      let place = FilterContext(side: .site, direction: .task, site: nil, key: RandomKey(seed: 0))
      return try decrypt.apply(to: exchange, in: place).tensors
    }
  }
}
