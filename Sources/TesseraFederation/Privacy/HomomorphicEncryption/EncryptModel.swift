internal import TesseraCore

/// Encrypts what a site answers, so that the aggregator can add it and not read it; for a site's results, last of all.
///
/// A site's weight is in the clear: its number of examples, in units of a power of two so that sums of weights are exact.
public struct EncryptModel: Filter {
  /// What configuration files call it.
  public static let name = "encrypt"
  /// What exchanges say was done to them.
  static let algorithm = "encrypted"

  private let key: CKKSSecretKey
  private let weightUnit: Double
  private let isReproducible: Bool

  /// A filter that encrypts under the sites' key.
  ///
  /// - Parameters:
  ///   - key: The sites' key.
  ///   - examples: How many examples all sites have together, or more: what all weights add up to at most.
  ///   - reproducibly: Whether ciphertexts follow from the run's key, which is **no secrecy at all**: for simulations, whose
  ///     bits must repeat.
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public init(key: CKKSSecretKey, examples: Int, reproducibly: Bool = false) throws {
    guard examples >= 1 else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "'examples' must be at least 1, not \(examples)"
      )
    }
    self.key = key
    isReproducible = reproducibly
    let exponent = Double(examples).exponent + (Double(examples).significand > 1 ? 1 : 0)
    weightUnit = Double(sign: .plus, exponent: -exponent, significand: 1)
  }

  /// The exchange with its model encrypted.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    guard exchange.kind.isModel, let site = context.site else { return exchange }
    if let last = exchange.metadata.processing.last {
      throw FederationError.rejected(
        site,
        "its model is \(last.algorithm), and cannot be encrypted"
      )
    }
    guard let reference = context.reference else {
      throw FederationError.rejected(site, "there is nothing that its model is an answer to")
    }
    let weights = try exchange.asWeights(from: reference)
    let encrypted = try key.encryption(
      weight: exchange.weight(from: site) * weightUnit,
      randomness: isReproducible ? .insecureReproducible(context.key["ckks"]) : .secure
    ).encrypt(weights.tensors)
    var result = try Self.exchange(encrypted)
    result.metrics = exchange.metrics
    result.headers = exchange.headers
    let processing = result.metadata.processing
    result.metadata = exchange.metadata
    result.metadata.processing = processing
    return result
  }

  /// An encrypted model as it travels.
  static func exchange(_ model: EncryptedModel) throws -> Exchange {
    var exchange = Exchange(.weights, tensors: try model.state())
    exchange.metadata.processing = [
      Exchange.Processing(
        algorithm,
        tensors: model.layout.names,
        bytesBefore: zip(model.layout.shapes, model.layout.dtypes).reduce(0) {
          $0 + $1.0.reduce(1, *) * $1.1.byteCount
        },
        bytesAfter: exchange.tensors.byteCount
      )
    ]
    return exchange
  }
}

/// Reads the encrypted global model that a task brings to a site; for a site's tasks, first of all.
///
/// A model that is not encrypted, as in the first round, passes as it is.
public struct DecryptModel: Filter {
  /// What configuration files call it.
  public static let name = "decrypt"

  private let key: CKKSSecretKey

  /// A filter that decrypts with the sites' key.
  public init(key: CKKSSecretKey) {
    self.key = key
  }

  /// The exchange with its models in the clear.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    try exchange.mapModels { model in
      guard model.metadata.processing.last?.algorithm == EncryptModel.algorithm else {
        return model
      }
      var result = model
      result.metadata.processing.removeLast()
      result.tensors = try key.decryptOnThisThread(
        EncryptedModel(model.tensors, in: key.context)
      )
      return result
    }
  }
}

extension CKKSSecretKey {
  func encryption(weight: Double, randomness: EncryptionRandomness) throws -> Encryption {
    try Encryption(context: context, key: .secret(key), weight: weight, randomness: randomness)
  }

  /// The model, without lanes: filters run where an exchange is.
  func decryptOnThisThread(_ encrypted: EncryptedModel) throws -> ModelState {
    let decryption = Decryption(context: context, key: key)
    let wide: DType = encrypted.layout.dtypes.contains(.float64) ? .float64 : .float32
    return try encrypted.layout.model(
      of: encrypted.blocks.map { try decryption.decrypt($0, dtype: wide) }
    )
  }
}

extension Encryption {
  /// The model encrypted, without lanes.
  func encrypt(_ model: ModelState) throws -> EncryptedModel {
    let elements = try ElementStream(model.entries)
    let layout = ModelLayout(of: model)
    let digest = try layout.digest()
    let ranges = EncryptedModel.blockRanges(of: elements.count, in: context)
    let blocks = try ranges.enumerated().map { index, range in
      try encrypt(elements, in: range, shape: [range.count], layout: digest, block: index)
    }
    return try EncryptedModel(layout: layout, blocks: blocks, in: context)
  }
}
