@preconcurrency internal import Dispatch
internal import Foundation
internal import SystemPackage

/// Says when files in a folder have changed.
///
/// The system tells it; nothing is looked at meanwhile.
struct FileWatch: Sendable {
  /// One element for each change, or several at once; no element says what it was.
  let changes: AsyncStream<Void>

  /// Watches a folder.
  ///
  /// - Returns: `nil` if the system cannot.
  init?(folder: FilePath) {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard descriptor >= 0 else { return nil }
    let events = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO)
    guard inotify_add_watch(descriptor, folder.string, events) >= 0 else {
      close(descriptor)
      return nil
    }
    let (changes, change) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let source = DispatchSource.makeReadSource(
      fileDescriptor: descriptor,
      queue: DispatchQueue(label: "tessera.files")
    )
    source.setEventHandler {
      var events = [UInt8](repeating: 0, count: 4096)
      while read(descriptor, &events, events.count) > 0 {}
      change.yield()
    }
    source.setCancelHandler {
      close(descriptor)
      change.finish()
    }
    change.onTermination = { _ in source.cancel() }
    source.activate()
    self.changes = changes
  }
}
