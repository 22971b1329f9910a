internal import Foundation
internal import SystemPackage
internal import TesseraCore

/// Small files of JSON, read and replaced whole.
enum JSONFile {
  /// What a file says; `nil` if it is not there.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotRead`` if it says something else.
  static func read<Value: Decodable>(_ type: Value.Type, from path: FilePath) throws -> Value? {
    guard let data = FileManager.default.contents(atPath: path.string) else { return nil }
    do { return try JSONText.decoder.decode(type, from: data) } catch {
      throw DeploymentError(code: .cannotRead, message: "\(path) cannot be understood")
    }
  }

  /// Replaces a file.
  ///
  /// - Throws: ``DeploymentError`` with code ``DeploymentError/Code/cannotWrite``; the old file is then as it was.
  static func write(_ value: some Encodable, to path: FilePath) throws {
    do {
      try AtomicFile.write(try JSONText.of(value) + "\n", to: path)
    } catch {
      throw DeploymentError(code: .cannotWrite, message: "\(path) cannot be written: \(error)")
    }
  }
}

/// JSON as the deployment's files, messages and programs have it: keys in order, times as ISO 8601.
public enum JSONText {
  /// The text of a value.
  public static func of(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  /// Reads a text.
  public static func value<Value: Decodable>(_ type: Value.Type, of text: String) throws -> Value {
    do { return try decoder.decode(type, from: Data(text.utf8)) } catch {
      throw DeploymentError(
        code: .invalidArgument,
        message: "what arrived is not what it should be: \(Value.self)"
      )
    }
  }

  static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    return decoder
  }
}
