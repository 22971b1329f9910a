internal import Foundation
internal import SystemPackage
internal import TesseraCore
internal import TesseraFederation
internal import TesseraRun

/// Tells what a job has done wrong from what it cannot do because its server cannot write.
enum WriteFailure {
  /// Whether an error says that this machine could not write a file, as on a full disk: it passes when somebody makes room.
  ///
  /// A job pauses then, and does not fail: nothing is wrong with it.
  static func isOne(_ error: any Error) -> Bool { isAny(error) && !isLasting(error) }

  /// Whether an error says that this machine could not write a file, for whatever reason.
  static func isAny(_ error: any Error) -> Bool {
    switch error {
    case let error as RunError: error.code == .cannotWrite
    case let error as DeploymentError: error.code == .cannotWrite
    // Of files that cannot be read, too, which no waiting mends.
    case let error as TensorError:
      error.code == .fileSystem
        && ["cannot write", "cannot make"].contains { error.message.hasPrefix($0) }
    case is MissingRoom: true
    case let error as Errno:
      [.noSpace, .diskQuotaExceeded, .fileTooLarge, .ioError].contains(error)
    case let error as CocoaError:
      [.fileWriteOutOfSpace, .fileWriteUnknown, .fileWriteNoPermission].contains(error.code)
    default: false
    }
  }

  /// What room on a disk does not mend: a folder that is not there, or not for this user.
  ///
  /// Errors name it at their end.
  private static let lasting: [Errno] = [
    .permissionDenied, .notPermitted, .noSuchFileOrDirectory, .notDirectory, .isDirectory,
  ]

  private static func isLasting(_ error: any Error) -> Bool {
    if let error = error as? CocoaError { return error.code == .fileWriteNoPermission }
    let text = "\(error)"
    return lasting.contains { text.hasSuffix(": \($0)") }
  }
}

/// Carries a job's tasks as another transport does, and remembers when an answer could not be kept: that is the server's failure,
/// and not the site's.
struct KeepingTransport: Transport {
  let base: any Transport
  let failure: FirstFailure

  var sites: [Site] { base.sites }
  var spool: FilePath? { base.spool }

  func ask(_ tasks: [SiteTask], report: @escaping @Sendable (SiteEvent) -> Void) async {
    await base.ask(tasks) { event in
      // What was too large by the site's own word is no such error.
      if case .answered(_, .failure(let error)) = event, WriteFailure.isAny(error) {
        failure.note(error)
      }
      report(event)
    }
  }
}
