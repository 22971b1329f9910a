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
    var followers: [String: [Int: AsyncStream<LogLine>.Continuation]] = [:]
    var nextFollower = 0
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

  /// The file of a line's job, if that has a folder; those who follow the job are given the line.
  func file(for line: LogLine) -> LogFile? {
    // The name is part of a path, and may have come from elsewhere.
    guard let job = line.job, Participant.isName(job) else { return nil }
    let followers = state.withLock { Array(($0.followers[job] ?? [:]).values) }
    for follower in followers { follower.yield(line) }
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

  /// What is said of a job from now on.
  func follow(_ job: String) -> AsyncStream<LogLine> {
    let (lines, continuation) = AsyncStream<LogLine>.makeStream(
      bufferingPolicy: .bufferingNewest(4096)
    )
    let number = state.withLock { state in
      state.nextFollower += 1
      state.followers[job, default: [:]][state.nextFollower] = continuation
      return state.nextFollower
    }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { state in
        state.followers[job]?[number] = nil
        if state.followers[job]?.isEmpty == true { state.followers[job] = nil }
      }
    }
    return lines
  }

  /// Closes a job's file, and ends it for those who follow.
  func finish(_ job: String) {
    let followers = state.withLock { state in
      state.files[job] = nil
      state.order.removeAll { $0 == job }
      return state.followers.removeValue(forKey: job)
    }
    for follower in followers?.values ?? [:].values { follower.finish() }
  }
}
