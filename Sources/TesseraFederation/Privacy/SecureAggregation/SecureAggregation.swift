internal import Foundation
internal import TesseraCore

/// How updates are summed so that nobody sees a single one: the settings of ``Controller/gather(_:_:from:securelyBy:quorum:)``.
///
/// With ``Noise`` the sum is differentially private towards the server too, and no single party knows the noise.
public struct SecureAggregation: Sendable, Hashable {
  /// The largest magnitude of an element of an update.
  public var bound: Double
  /// Whether elements beyond the bound are moved to it; the update is refused otherwise.
  public var clips: Bool
  /// Who may be corrupt or drop out: gives the number of neighbours that a site shares its secrets with.
  public var assumptions: NeighbourhoodBounds
  /// Noise that the sites add together.
  public var noise: Noise?

  /// Noise for central differential privacy that the sites add together.
  ///
  /// Updates are differences then, clipped to a norm, and all weigh the same.
  public struct Noise: Sendable, Hashable, Codable {
    /// The largest Euclidean norm of a site's difference, over all floating tensors.
    public var clipNorm: Double
    /// The deviation of the noise in the sum, as a multiple of the clip norm.
    public var multiplier: Double

    /// Noise.
    ///
    /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
    public init(clipNorm: Double, multiplier: Double) throws {
      guard clipNorm > 0, clipNorm.isFinite, multiplier > 0, multiplier.isFinite else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "the clip norm and the noise multiplier must be numbers above 0"
        )
      }
      self.clipNorm = clipNorm
      self.multiplier = multiplier
    }
  }

  /// Settings; the bound suits weights of networks as they are usually made.
  public init(
    bound: Double = 64,
    clips: Bool = false,
    assumptions: NeighbourhoodBounds = NeighbourhoodBounds(),
    noise: Noise? = nil
  ) {
    self.bound = bound
    self.clips = clips
    self.assumptions = assumptions
    self.noise = noise
  }
}

/// What a site and the server agree on beside the configuration of the masks.
struct SecureTerms: Codable {
  var encoding: FixedPointEncoding
  var clips: Bool
  var noise: SecureAggregation.Noise?

  /// For ``SecureAggregationConfiguration/agreement``: sites that were told different things cannot be added up.
  var agreement: String {
    let noise = noise.map { "norm \($0.clipNorm), noise \($0.multiplier)" } ?? "no noise"
    return "\(encoding.fingerprint); clips \(clips); \(noise)"
  }
}

extension TaskName {
  /// A phase of summing updates that nobody sees.
  public static let secureAggregation = TaskName("secure aggregation")
}

extension Exchange {
  private static let secureKind = Kind.custom("secure aggregation")
  private static let messageHeader = "message"
  private static let termsHeader = "terms"
  private static let taskHeader = "task"
  private static let dataPart = "data"
  private static let vectorName = "masked"

  /// A request of the server; the one for the vector comes with the task that gives it.
  init(
    _ request: SecureAggregationRequest,
    terms: SecureTerms,
    task: TaskName,
    data: Exchange
  ) throws {
    self.init(Self.secureKind)
    headers[Self.messageHeader] = try Self.json(request)
    if case .advertiseKeys = request { headers[Self.termsHeader] = try Self.json(terms) }
    if case .maskVector = request {
      headers[Self.taskHeader] = task.description
      parts[Self.dataPart] = data
    }
  }

  /// A site's answer; a vector is a tensor, which takes a third less than text.
  init(_ answer: SecureAggregationAnswer) throws {
    self.init(Self.secureKind)
    if case .masked(let vector) = answer {
      let elements = vector.elements.map { Int64(bitPattern: $0) }
      tensors = try ModelState([(name: Self.vectorName, tensor: Tensor(elements))])
    } else {
      headers[Self.messageHeader] = try Self.json(answer)
    }
  }

  func secureRequest() throws -> SecureAggregationRequest { try secureMessage() }
  func secureTerms() throws -> SecureTerms? {
    guard let text = headers[Self.termsHeader] else { return nil }
    return try Self.decoded(text)
  }
  func secureTask() -> (name: TaskName, data: Exchange)? {
    guard let name = headers[Self.taskHeader], let data = parts[Self.dataPart] else { return nil }
    return (TaskName(name), data)
  }

  func secureAnswer() throws -> SecureAggregationAnswer {
    guard let vector = tensors[Self.vectorName] else { return try secureMessage() }
    guard vector.dtype == .int64, vector.shape.count == 1 else { throw Self.malformed }
    let elements = try vector.array(of: Int64.self).map { UInt64(bitPattern: $0) }
    return .masked(MaskedVector(elements: elements))
  }

  private func secureMessage<Message: Decodable>() throws -> Message {
    guard kind == Self.secureKind, let text = headers[Self.messageHeader] else {
      throw Self.malformed
    }
    return try Self.decoded(text)
  }

  private static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  private static func decoded<Value: Decodable>(_ text: String) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    } catch {
      throw malformed
    }
  }

  private static var malformed: FederationError {
    FederationError(
      code: .protocolViolation,
      message: "secure aggregation: a message that is none of the protocol's"
    )
  }
}
