internal import Foundation
internal import TesseraCore

extension WorkflowState {
  /// The result of that name, or `nil` if there is none.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if it is something else.
  public func document<Document: Decodable>(
    _ name: String,
    as type: Document.Type = Document.self
  ) throws -> Document? {
    guard let text = documents[name] else { return nil }
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
    } catch {
      throw FederationError(
        code: .cannotResume,
        message: "the document '\(name)' is no \(type)"
      )
    }
  }

  /// Keeps a result under a name, as JSON whose keys are in order: equal results are equal bytes.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration`` if it has no form as JSON, which has
  ///   no infinity and no NaN.
  public mutating func setDocument(_ name: String, to document: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      documents[name] = String(decoding: try encoder.encode(document), as: UTF8.self)
    } catch {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the document '\(name)' cannot be written as JSON"
      )
    }
  }
}
