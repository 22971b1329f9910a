internal import Crypto
internal import Foundation
public import TesseraCore

/// The names, shapes and dtypes of a model's tensors, without their elements.
public struct ModelLayout: Sendable, Hashable {
  /// The names, in the model's order.
  public let names: [String]
  /// The shape of each tensor.
  public let shapes: [[Int]]
  /// The dtype of each tensor.
  public let dtypes: [DType]

  /// The layout of a model.
  public init(of model: ModelState) {
    names = model.names
    shapes = model.tensors.map(\.shape)
    dtypes = model.tensors.map(\.dtype)
  }

  /// The number of elements of all tensors.
  public var elementCount: Int { shapes.reduce(0) { $0 + $1.reduce(1, *) } }

  private struct Stored: Codable {
    var names: [String]
    var shapes: [[Int]]
    var dtypes: [String]
  }

  /// As JSON.
  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let stored = Stored(names: names, shapes: shapes, dtypes: dtypes.map(\.rawValue))
    return Array(try encoder.encode(stored))
  }

  /// What ties the blocks of an encrypted model to it.
  func digest() throws -> [UInt8] {
    Array(SHA256.hash(data: try encoded()).prefix(EncryptedHeader.digestSize))
  }

  /// Reads JSON that may be anything.
  init(encoded bytes: UnsafeRawBufferPointer) throws {
    func malformed(_ reason: String) -> FederationError {
      FederationError(code: .rejectedUpdate, message: "the layout of an encrypted model \(reason)")
    }
    guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)) else {
      throw malformed("is not the JSON it should be")
    }
    guard stored.names.count == stored.shapes.count, stored.names.count == stored.dtypes.count,
      Set(stored.names).count == stored.names.count
    else {
      throw malformed("has not one name, shape and dtype for each tensor")
    }
    names = stored.names
    shapes = stored.shapes
    dtypes = try zip(stored.names, stored.dtypes).map { name, text in
      guard let dtype = DType(rawValue: text), dtype.isFloatingPoint else {
        throw malformed("has no floating-point dtype for '\(name)'")
      }
      return dtype
    }
    var total = 0
    for (name, shape) in zip(names, shapes) {
      var count = 1
      for size in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard size >= 0, !overflow else { throw malformed("has no possible shape for '\(name)'") }
        count = product
      }
      let (sum, overflow) = total.addingReportingOverflow(count)
      guard !overflow else { throw malformed("has too many elements") }
      total = sum
    }
  }

  /// The first tensor that another layout has not, or has otherwise.
  func firstDifference(from other: ModelLayout) -> String? {
    for index in 0..<max(names.count, other.names.count) {
      guard index < names.count else { return other.names[index] }
      guard index < other.names.count, names[index] == other.names[index],
        shapes[index] == other.shapes[index], dtypes[index] == other.dtypes[index]
      else { return names[index] }
    }
    return nil
  }
}
