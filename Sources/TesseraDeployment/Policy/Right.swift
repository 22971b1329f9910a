/// Something that a person may do, or not.
public enum Right: String, Sendable, Hashable, Codable, CaseIterable {
  /// Hand in a job.
  case submit
  /// Hand in a copy of a job.
  case clone
  /// Abort a job, or delete it.
  case manage
  /// Have a job's results.
  case download
  /// See jobs, sites and logs.
  case view
  /// Disable, enable, restart and shut down.
  case operate
  /// Have a job start programs of its own.
  case runExternal = "run-external"

  /// What it is, for references.
  var meaning: String {
    switch self {
    case .submit: "hand in jobs"
    case .clone: "hand in copies of jobs"
    case .manage: "abort and delete jobs"
    case .download: "have the results of jobs"
    case .view: "see jobs, sites and logs"
    case .operate: "disable, enable, restart and shut down"
    case .runExternal: "have jobs start programs of their own"
    }
  }

  /// Whether it is about what somebody has submitted, rather than about the place that decides.
  ///
  /// To submit a job, or to have one start programs, is to use the place that it is to run at, whoever's job it is.
  var isAboutSubmissions: Bool {
    switch self {
    case .clone, .manage, .download, .view: true
    case .submit, .operate, .runExternal: false
    }
  }

  /// What a refusal says that somebody may not do.
  func words(on job: String?, at place: String) -> String {
    let what = job.map { "job \($0)" }
    return switch self {
    case .submit: "submit \(what ?? "jobs") to \(place)"
    case .clone: "clone \(what ?? "jobs") at \(place)"
    case .manage: "manage \(what ?? "jobs") at \(place)"
    case .download: "download \(what ?? "jobs") from \(place)"
    case .view: what.map { "view \($0) at \(place)" } ?? "view \(place)"
    case .operate: "operate \(place)"
    case .runExternal: "run programs of \(what ?? "jobs") at \(place)"
    }
  }
}
