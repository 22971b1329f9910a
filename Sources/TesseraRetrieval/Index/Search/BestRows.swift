/// The rows with the greatest scores among those that were shown, in a heap whose first is the worst of them.
struct BestRows {
  /// A row and its score.
  struct Hit: Sendable {
    var row: Int
    var score: Double

    /// Whether this one comes after another: a lower score, or the same at a higher row.
    func isWorse(than other: Hit) -> Bool {
      score < other.score || (score == other.score && row > other.row)
    }
  }

  private let capacity: Int
  private var heap: [Hit] = []
  /// Scores up to this one need not be shown.
  ///
  /// Rows come in ascending order, so that one with the worst score that is kept would lose against it.
  private(set) var floor = -Float.infinity

  init(capacity: Int) {
    self.capacity = capacity
    if capacity == 0 { floor = .infinity }
  }

  /// Keeps a row if it is among the best so far.
  mutating func show(_ row: Int, _ score: Float) {
    let hit = Hit(row: row, score: Double(score))
    if heap.count < capacity {
      heap.append(hit)
      var child = heap.count - 1
      while child > 0, heap[child].isWorse(than: heap[(child - 1) / 2]) {
        heap.swapAt(child, (child - 1) / 2)
        child = (child - 1) / 2
      }
    } else if let worst = heap.first, worst.isWorse(than: hit) {
      heap[0] = hit
      sink()
    }
    if heap.count == capacity, let worst = heap.first { floor = Float(worst.score) }
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var worst = parent
      for child in 2 * parent + 1...2 * parent + 2
      where child < heap.count && heap[child].isWorse(than: heap[worst]) {
        worst = child
      }
      if worst == parent { return }
      heap.swapAt(parent, worst)
      parent = worst
    }
  }

  /// The rows that are kept, in no order.
  var hits: [Hit] { heap }
}
