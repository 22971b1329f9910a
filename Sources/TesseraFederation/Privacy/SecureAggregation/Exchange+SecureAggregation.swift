internal import Foundation
internal import TesseraCore

extension TaskName {
  /// A phase of summing updates that nobody sees.
  public static let secureAggregation = TaskName("secure aggregation")
}

extension Exchange {
  private static let secureKind = Kind.custom("secure aggregation")
  private static let messageHeader = "message"
  private static let sessionHeader = "session"
  private static let termsHeader = "terms"
  private static let taskHeader = "task"
  private static let dataPart = "data"
  /// A configuration or a list of survivors of a million sites has a tenth of it.
  private static let mostMessageBytes = 1 << 27
  private static let vectorName = "masked"

  /// A request of the server; the one for the vector comes with the task that gives it.
  init(
    _ request: SecureAggregationRequest,
    in session: String,
    terms: SecureTerms,
    task: TaskName,
    data: Exchange
  ) throws {
    self.init(Self.secureKind)
    headers[Self.messageHeader] = try Self.json(request)
    headers[Self.sessionHeader] = session
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
      // As they lie in memory: vectors are as large as models.
      let tensor = try vector.elements.withUnsafeBytes {
        try Tensor(bytes: $0, shape: [vector.elements.count], dtype: .int64)
      }
      tensors = try ModelState([(name: Self.vectorName, tensor: tensor)])
    } else {
      headers[Self.messageHeader] = try Self.json(answer)
    }
  }

  func secureRequest() throws -> SecureAggregationRequest { try secureMessage() }
  /// Which sum a request belongs to.
  func secureSession() throws -> String {
    guard let session = headers[Self.sessionHeader],
      session.utf8.count <= SecureAggregationConfiguration.Limits.nameBytes
    else { throw Self.malformed }
    return session
  }
  func secureTerms() throws -> SecureTerms? {
    guard let text = headers[Self.termsHeader], text.utf8.count <= Self.mostMessageBytes else {
      return nil
    }
    return try Self.decoded(text)
  }
  func secureTask() -> (name: TaskName, data: Exchange)? {
    guard let name = headers[Self.taskHeader], let data = parts[Self.dataPart] else { return nil }
    return (TaskName(name), data)
  }

  func secureAnswer() throws -> SecureAggregationAnswer {
    guard let vector = tensors[Self.vectorName] else { return try secureMessage() }
    guard kind == Self.secureKind, vector.dtype == .int64, vector.shape.count == 1 else {
      throw Self.malformed
    }
    return try vector.withBytes { bytes in
      // Copied, as bytes that came from elsewhere may lie anywhere.
      let elements = [UInt64](unsafeUninitializedCapacity: vector.count) { buffer, count in
        UnsafeMutableRawBufferPointer(buffer).copyMemory(from: bytes)
        count = vector.count
      }
      return .masked(MaskedVector(elements: elements))
    }
  }

  private func secureMessage<Message: Decodable>() throws -> Message {
    guard kind == Self.secureKind, let text = headers[Self.messageHeader],
      text.utf8.count <= Self.mostMessageBytes
    else { throw Self.malformed }
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
