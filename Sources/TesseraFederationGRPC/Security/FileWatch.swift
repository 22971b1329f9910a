@preconcurrency internal import Dispatch
internal import Foundation
package import SystemPackage

/// Says when files in a folder have changed.
///
/// The system tells it; nothing is looked at meanwhile.
package struct FileWatch: Sendable {
  /// One element for each change, or several at once; no element says what it was.
  package let changes: AsyncStream<Void>

  /// Watches a folder; `nil` if the system cannot.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - seesWriting: Whether it is a change, too, when something is written to a file that stays open.
  package init?(folder: FilePath, seesWriting: Bool = false) {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard descriptor >= 0 else { return nil }
    let events = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO | (seesWriting ? IN_MODIFY : 0))
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
