internal import SwiftProtobuf
internal import TesseraCore
internal import TesseraFederation

extension ExchangeOutline {
  /// Reads an outline.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation``, naming the field, if it says what cannot be.
  init(_ proto: Tessera_Federation_V1_ExchangeOutline) throws {
    guard let kind = Exchange.Kind(name: proto.kind) else {
      throw FederationError.wire("unknown kind of exchange")
    }
    guard let returnCode = ReturnCode(rawValue: proto.returnCode) else {
      throw FederationError.wire("unknown return code")
    }
    self.init(
      kind: kind,
      tensors: try proto.tensors.map(Entry.init),
      parts: try proto.parts.mapValues(ExchangeOutline.init),
      metrics: proto.metrics,
      metadata: try Exchange.Metadata(proto.metadata),
      headers: proto.headers,
      returnCode: returnCode
    )
  }

  var proto: Tessera_Federation_V1_ExchangeOutline {
    .with {
      $0.kind = kind.name
      $0.returnCode = returnCode.rawValue
      $0.tensors = tensors.map(\.proto)
      $0.parts = parts.mapValues(\.proto)
      $0.metrics = metrics
      $0.metadata = metadata.proto
      $0.headers = headers
    }
  }
}

extension ExchangeOutline.Entry {
  fileprivate init(_ proto: Tessera_Federation_V1_TensorOutline) throws {
    guard let dtype = DType(rawValue: proto.dtype) else {
      throw FederationError.wire("unknown dtype of a tensor")
    }
    self.init(name: proto.name, dtype: dtype, shape: try proto.shape.map(Int.init(wire:)))
  }

  fileprivate var proto: Tessera_Federation_V1_TensorOutline {
    .with {
      $0.name = name
      $0.dtype = dtype.rawValue
      $0.shape = shape.map(Int64.init)
    }
  }
}

extension Int {
  /// A number that cannot be negative.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/protocolViolation`` if it is.
  init(wire number: Int64) throws {
    guard let number = Int(exactly: number), number >= 0 else {
      throw FederationError.wire("a number is negative or too large")
    }
    self = number
  }
}

extension FederationError {
  /// What came over the wire is not what the protocol allows.
  static func wire(_ message: String) -> FederationError {
    FederationError(code: .protocolViolation, message: message)
  }
}
