internal import Foundation

/// JSON as commands print it.
public enum PrintedJSON {
  /// A value as indented JSON, its keys in order.
  ///
  /// - Parameter value: Any value without infinite numbers.
  /// - Returns: The text, without a line's end.
  /// - Throws: `EncodingError` if a number is infinite or none.
  public static func of(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
