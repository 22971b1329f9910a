internal import Foundation

/// Room in memory for pictures that are read at a time, on several threads.
///
/// A small file can hold a picture of a hundred million pixels: one such picture fits into memory, one on each core may not.
//
// @unchecked Sendable: what changes is changed under the condition's lock.
final class ReadingRoom: @unchecked Sendable {
  private let size: Int
  private let condition = NSCondition()
  private var used = 0

  /// Room for so many pixels.
  init(pixels size: Int) { self.size = size }

  /// Calls `body` once there is room for so many pixels; a picture that is larger than the room has it for itself.
  func with<Result>(pixels: Int, _ body: () throws -> Result) rethrows -> Result {
    let wanted = min(max(pixels, 0), size)
    condition.withLock {
      while used + wanted > size { condition.wait() }
      used += wanted
    }
    defer {
      condition.withLock {
        used -= wanted
        condition.broadcast()
      }
    }
    return try body()
  }
}
