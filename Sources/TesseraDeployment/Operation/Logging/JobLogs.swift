internal import Foundation
internal import Synchronization
internal import SystemPackage
internal import TesseraProvisioning

/// The log files of jobs: `jobs/ID/log.jsonl`, in the folder of each job that has one.
final class JobLogs: Sendable {
  /// How many files are open at once.
  private static let mostOpen = 64

  private struct State {
    var files: [String: LogFile] = [:]
    /// Which were written, the last at the end.
    var order: [String] = []
  }

  private let folder: FilePath
  private let limits: LogFile.Limits
  private let state = Mutex(State())

  init(_ folder: FilePath, limits: LogFile.Limits) {
    self.folder = folder
    self.limits = limits
  }

  static func file(of job: String, in folder: FilePath) -> FilePath {
    folder.appending(job).appending("log.jsonl")
  }

  /// The file of a line's job, if that has a folder.
  func file(for line: LogLine) -> LogFile? {
    // The name is part of a path, and may have come from elsewhere.
    guard let job = line.job, Participant.isName(job) else { return nil }
    return state.withLock { state -> LogFile? in
      if let file = state.files[job] {
        if state.order.last != job {
          state.order.removeAll { $0 == job }
          state.order.append(job)
        }
        return file
      }
      guard FileManager.default.fileExists(atPath: folder.appending(job).string) else {
        return nil
      }
      let file = LogFile(Self.file(of: job, in: folder), limits: limits)
      state.files[job] = file
      state.order.append(job)
      if state.order.count > Self.mostOpen { state.files[state.order.removeFirst()] = nil }
      return file
    }
  }

  /// Closes a job's file.
  func finish(_ job: String) {
    state.withLock { state in
      state.files[job] = nil
      state.order.removeAll { $0 == job }
    }
  }
}
