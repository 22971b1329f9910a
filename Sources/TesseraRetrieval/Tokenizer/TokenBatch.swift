public import TesseraCore

/// The tokens of several texts.
public struct TokenBatch: Sendable {
  /// The tokens of each text.
  public let rows: [[Int]]
  /// What fills up the shorter ones.
  public let padding: Int

  /// A batch of rows of tokens.
  public init(_ rows: [[Int]], padding: Int) {
    self.rows = rows
    self.padding = padding
  }

  /// How many texts there are.
  public var count: Int { rows.count }

  /// The length of the longest text, in tokens.
  public var length: Int { rows.map(\.count).max() ?? 0 }

  /// Some of the texts.
  ///
  /// - Precondition: They are there.
  public subscript(range: Range<Int>) -> TokenBatch {
    TokenBatch(Array(rows[range]), padding: padding)
  }

  /// All texts as long as the longest, for encoders that read one token after the other.
  ///
  /// - Parameter device: Where the tensors lie.
  /// - Returns: The tokens' numbers, `[batch, length]`, `int64`; and where there is a token of the text, `[batch, length]`, `bool`.
  /// - Throws: `TensorError` if memory does not allow it.
  public func padded(on device: Device = .cpu) throws -> (tokens: Tensor, mask: Tensor) {
    let length = length
    var numbers = [Int64](repeating: Int64(padding), count: rows.count * length)
    var isText = [Bool](repeating: false, count: rows.count * length)
    for (row, tokens) in rows.enumerated() {
      for (column, token) in tokens.enumerated() {
        numbers[row * length + column] = Int64(token)
        isText[row * length + column] = true
      }
    }
    return (
      try Tensor(numbers, shape: [rows.count, length], on: device),
      try Tensor(isText, shape: [rows.count, length], on: device)
    )
  }

  /// All tokens one after the other, for encoders that do not ask for their order.
  ///
  /// - Parameter device: Where the tensors lie.
  /// - Returns: The tokens' numbers, `[tokens]`, and where each text begins, `[batch]`; both `int64`.
  /// - Throws: `TensorError` if memory does not allow it.
  public func bags(on device: Device = .cpu) throws -> (tokens: Tensor, offsets: Tensor) {
    var offsets: [Int64] = []
    var numbers: [Int64] = []
    offsets.reserveCapacity(rows.count)
    for row in rows {
      offsets.append(Int64(numbers.count))
      numbers += row.lazy.map(Int64.init)
    }
    return (
      try Tensor(numbers, shape: [numbers.count], on: device),
      try Tensor(offsets, shape: [rows.count], on: device)
    )
  }
}
