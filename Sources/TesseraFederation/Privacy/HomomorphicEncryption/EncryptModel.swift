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
    weightUnit = Self.weightUnit(examples: examples)
  }

  /// What one example weighs: a power of two of which all examples come to at most 1.
  static func weightUnit(examples: Int) -> Double {
    let count = Double(max(examples, 1))
    return Double(
      sign: .plus,
      exponent: -(Int(count.exponent) + (count.significand > 1 ? 1 : 0)),
      significand: 1
    )
  }

  /// The exchange with all its models encrypted, those of parts too.
  ///
  /// A tensor that the site left out on purpose is encrypted as the task brought it, so that the sum keeps the receiver's own.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate`` if a model is coded already, or lacks a tensor.
  public func apply(to exchange: Exchange, in context: FilterContext) throws -> Exchange {
    guard let site = context.site else { return exchange }
    return try exchange.mapModels(in: context) { model, place in
      if let last = model.metadata.processing.last {
        throw place.refusal("it is \(last.algorithm), and cannot be encrypted")
      }
      guard let reference = place.reference else {
        throw place.refusal("there is nothing that it is an answer to, and it cannot be encrypted")
      }
      return try sealed(model, answering: reference, in: place, of: site)
    }
  }

  private func sealed(
    _ model: Exchange,
    answering reference: ModelState,
    in place: FilteredModel,
    of site: Site
  ) throws -> Exchange {
    let excluded = Set(model.metadata.excluded)
    let whole = try reference.mapTensors { name, own in
      if let tensor = model.tensors[name] {
        guard model.kind == .weightDifference else { return tensor }
        return try (place.counterpart(of: tensor, name) + tensor).to(tensor.dtype)
      }
      guard excluded.contains(name) else { throw place.refusal("it is missing", tensor: name) }
      return own
    }
    if let unknown = model.tensors.names.first(where: { reference[$0] == nil }) {
      throw place.refusal("the task came without it", tensor: unknown)
    }
    let encrypted = try key.encryption(
      weight: model.weight(from: site) * weightUnit,
      randomness: isReproducible
        ? .insecureReproducible(place.context.key["ckks"][place.path]) : .secure
    ).encrypt(whole)
    var result = try Self.exchange(encrypted)
    result.metrics = model.metrics
    result.headers = model.headers
    let processing = result.metadata.processing
    result.metadata = model.metadata
    result.metadata.excluded = []
    result.metadata.processing = processing
    return result
  }

  /// Refuses an answer with a tensor in it that is not encrypted.
  ///
  /// Measurements, headers and metadata are in the clear.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/rejectedUpdate``.
  func requireSealed(_ answer: Exchange, at site: Site) throws {
    if !answer.tensors.names.isEmpty {
      guard answer.kind == .weights,
        answer.metadata.processing.last?.algorithm == Self.algorithm,
        (try? EncryptedModel(answer.tensors, in: key.context)) != nil
      else {
        throw FederationError.rejected(
          site,
          "its answer holds \(answer.kind.name) in the clear, and it sends encrypted models alone"
        )
      }
    }
    for part in answer.parts.values { try requireSealed(part, at: site) }
  }

  /// A task with its models in the clear.
  func opened(_ task: Exchange) throws -> Exchange { try DecryptModel(key: key).opened(task) }

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
    try opened(exchange)
  }

  func opened(_ exchange: Exchange) throws -> Exchange {
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
