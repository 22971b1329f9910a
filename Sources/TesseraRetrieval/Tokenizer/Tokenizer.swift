public import TesseraCore

/// Turns texts into numbers of tokens.
public protocol Tokenizer: Sendable {
  /// The tokens that it knows.
  var vocabulary: Vocabulary { get }

  /// The numbers of a text's tokens, without those at the beginning and the end.
  func pieces(of text: String) -> [Int]
}

extension Tokenizer {
  /// The numbers of a text's tokens, with those at the beginning and the end.
  ///
  /// - Parameters:
  ///   - text: Any text; an empty one has nothing between beginning and end.
  ///   - limit: How many there may be: what comes after is cut off. At least 2.
  /// - Returns: The numbers.
  public func tokens(of text: String, atMost limit: Int = .max) -> [Int] {
    let room = max(0, limit - 2)
    return [vocabulary.start] + pieces(of: text).prefix(room) + [vocabulary.end]
  }

  /// A batch of texts, as long as the longest of them.
  ///
  /// - Parameters:
  ///   - texts: One or more.
  ///   - limit: How many tokens of a text are used.
  /// - Returns: Their tokens.
  /// - Throws: `TensorError` if memory does not allow it.
  public func batch(_ texts: [String], atMost limit: Int = .max) throws -> TokenBatch {
    try TokenBatch(texts.map { tokens(of: $0, atMost: limit) }, padding: vocabulary.padding)
  }
}

/// The tokens of several texts.
public struct TokenBatch {
  /// The tokens' numbers, `[batch, length]`, `int64`.
  public let tokens: Tensor
  /// Where there is a token of the text, and no padding: `[batch, length]`, `bool`.
  public let mask: Tensor

  /// A batch of rows of tokens.
  ///
  /// - Parameters:
  ///   - rows: The tokens of each text.
  ///   - padding: What fills up the shorter ones.
  /// - Throws: `TensorError` if memory does not allow it.
  public init(_ rows: [[Int]], padding: Int) throws {
    let length = rows.map(\.count).max() ?? 0
    var numbers: [Int64] = []
    var isText: [Bool] = []
    numbers.reserveCapacity(rows.count * length)
    isText.reserveCapacity(rows.count * length)
    for row in rows {
      numbers += row.map(Int64.init) + [Int64](repeating: Int64(padding), count: length - row.count)
      isText += (0..<length).map { $0 < row.count }
    }
    tokens = try Tensor(numbers, shape: [rows.count, length])
    mask = try Tensor(isText, shape: [rows.count, length])
  }
}
