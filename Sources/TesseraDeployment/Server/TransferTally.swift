internal import TesseraFederation

/// What those who watch a job see of its transfers: those that move, a few times a second.
///
/// Without a clock: times are counted from any fixed moment. When nothing moves, nothing is told.
struct TransferTally: Sendable {
  private struct Key: Hashable {
    var site: String
    var direction: TransferProgress.Direction
  }

  private struct Entry {
    var bytes: Int
    var total: Int
    /// From when on, and how much was there then: what its speed is measured by.
    var mark: (time: Duration, bytes: Int)
    var last: (time: Duration, bytes: Int)
    var isTold = false
    /// Whether it has moved since it was told last.
    var hasMoved = true
    var isDone: Bool { bytes >= total }
  }

  private var entries: [Key: Entry] = [:]
  private var told: Duration?

  /// The shortest time between two pictures.
  static let interval = Duration.milliseconds(250)
  /// Over which time speeds are measured, at least, once a transfer has lasted that long.
  private static let window = Duration.seconds(1)

  /// Takes what has moved.
  ///
  /// - Returns: What is to be told now: nothing, if something was told a moment ago, unless the last of what was shown has arrived.
  mutating func note(_ progress: TransferProgress, at now: Duration) -> [JobEvent.Transfer]? {
    let key = Key(site: progress.site, direction: progress.direction)
    if var entry = entries[key], entry.total == progress.total, entry.bytes <= progress.bytes {
      if now - entry.last.time >= Self.window {
        (entry.mark, entry.last) = (entry.last, (now, progress.bytes))
      }
      entry.bytes = progress.bytes
      entry.hasMoved = true
      entries[key] = entry
    } else {
      let start = (now, progress.bytes)
      entries[key] = Entry(
        bytes: progress.bytes,
        total: progress.total,
        mark: start,
        last: start
      )
    }
    return picture(at: now)
  }

  /// All of a content has arrived.
  ///
  /// - Returns: As ``note(_:at:)``.
  mutating func finish(
    _ direction: TransferProgress.Direction,
    of site: String,
    at now: Duration
  ) -> [JobEvent.Transfer]? {
    let key = Key(site: site, direction: direction)
    guard var entry = entries[key] else { return nil }
    (entry.bytes, entry.hasMoved) = (entry.total, true)
    entries[key] = entry
    return picture(at: now)
  }

  private mutating func picture(at now: Duration) -> [JobEvent.Transfer]? {
    let moving = entries.filter(\.value.hasMoved)
    // Whoever has seen a transfer sees its end, too, once nothing else moves.
    let isEnd = moving.values.allSatisfy(\.isDone) && moving.values.contains(where: \.isTold)
    if let told, now - told < Self.interval, !isEnd { return nil }
    told = now
    for key in moving.keys {
      entries[key]?.isTold = true
      entries[key]?.hasMoved = false
    }
    // What has arrived is told once.
    entries = entries.filter { !$0.value.isDone }
    return moving.map { key, entry in
      JobEvent.Transfer(
        site: key.site,
        direction: key.direction,
        bytes: entry.bytes,
        total: entry.total,
        bytesPerSecond: Self.rate(of: entry, at: now)
      )
    }.sorted { ($0.site, $0.direction.rawValue) < ($1.site, $1.direction.rawValue) }
  }

  private static func rate(of entry: Entry, at now: Duration) -> Double? {
    let seconds = (now - entry.mark.time) / .seconds(1)
    guard seconds >= 0.01 else { return nil }
    return Double(entry.bytes - entry.mark.bytes) / seconds
  }
}
