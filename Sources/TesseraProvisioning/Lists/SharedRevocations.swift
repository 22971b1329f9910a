internal import Foundation
internal import Synchronization
internal import SystemPackage

/// The list of revoked certificates that is in force: that of a kit, read again whenever its file was changed.
public final class SharedRevocations: Sendable {
  /// What tells one version of a file from another.
  private struct Version: Equatable {
    var number: Int
    var size: Int
    var date: Date

    init?(_ path: String) {
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        let number = attributes[.systemFileNumber] as? NSNumber,
        let size = attributes[.size] as? NSNumber,
        let date = attributes[.modificationDate] as? Date
      else { return nil }
      (self.number, self.size, self.date) = (number.intValue, size.intValue, date)
    }
  }

  private struct State {
    var list: RevocationList
    var version: Version?
  }

  private let kit: StartupKit
  private let failed: @Sendable (any Error) -> Void
  private let state: Mutex<State>

  /// The list that a kit has.
  ///
  /// - Parameters:
  ///   - kit: Is read again when its list changes.
  ///   - failed: Is told why a changed list cannot be used; the one before it stays in force.
  public init(_ kit: StartupKit, failed: @escaping @Sendable (any Error) -> Void = { _ in }) {
    self.kit = kit
    self.failed = failed
    // Without a version: what has changed since the kit was read is found at the first look.
    state = Mutex(State(list: kit.revocations, version: nil))
  }

  /// The list as it is now: one look at the file, and its contents if they have changed.
  public var list: RevocationList {
    let version = Version(kit.revocationsFile.string)
    let known = state.withLock { $0.version == version ? $0.list : nil }
    if let known { return known }
    do {
      let list = try kit.currentRevocations()
      return state.withLock { state in
        state.version = version
        // An older list never replaces a newer one: whoever can write files could otherwise take revocations back.
        if list.number >= state.list.number { state.list = list }
        return state.list
      }
    } catch {
      // The signature is written beside the list: for a moment they do not fit each other, and the next look reads them again.
      failed(error)
      return state.withLock { $0.list }
    }
  }
}
