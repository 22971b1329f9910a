/// A set of rows, one bit each.
struct RowSet: Sendable {
  private var words: [UInt64]
  /// How many rows it holds.
  private(set) var count: Int

  /// The rows from 0 to `rows`, or none of them.
  init(rows: Int, isFull: Bool) {
    words = Array(repeating: isFull ? .max : 0, count: (rows + 63) / 64)
    if isFull, rows % 64 != 0 { words[words.count - 1] = (1 << UInt64(rows % 64)) - 1 }
    count = isFull ? rows : 0
  }

  func contains(_ row: Int) -> Bool {
    let word = row >> 6
    return word < words.count && words[word] & (1 << UInt64(row & 63)) != 0
  }

  /// Adds a row below the one that the set was made for; others are ignored.
  mutating func insert(_ row: Int) {
    guard row >= 0, row >> 6 < words.count, !contains(row) else { return }
    words[row >> 6] |= 1 << UInt64(row & 63)
    count += 1
  }

  mutating func remove(_ row: Int) {
    guard row >= 0, contains(row) else { return }
    words[row >> 6] &= ~(1 << UInt64(row & 63))
    count -= 1
  }

  mutating func formIntersection(_ other: RowSet) { combine(other, words.count, &) }

  mutating func formUnion(_ other: RowSet) {
    combine(other, max(words.count, other.words.count), |)
  }

  mutating func subtract(_ other: RowSet) { combine(other, words.count) { $0 & ~$1 } }

  private mutating func combine(
    _ other: RowSet,
    _ size: Int,
    _ operation: (UInt64, UInt64) -> UInt64
  ) {
    words += Array(repeating: 0, count: size - words.count)
    count = 0
    for index in words.indices {
      words[index] = operation(words[index], index < other.words.count ? other.words[index] : 0)
      count += words[index].nonzeroBitCount
    }
  }

  /// The rows in ascending order.
  var rows: [Int] {
    var rows: [Int] = []
    rows.reserveCapacity(count)
    for (index, word) in words.enumerated() {
      var rest = word
      while rest != 0 {
        rows.append(index << 6 + rest.trailingZeroBitCount)
        rest &= rest - 1
      }
    }
    return rows
  }
}
