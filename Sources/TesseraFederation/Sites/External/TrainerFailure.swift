/// A site's trainer has not done its task.
struct TrainerFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure.
  enum Kind: Sendable, Equatable {
    /// The program cannot be started.
    case notStarted
    /// The program has ended, twice.
    case died
    /// The program has broken the protocol, or its answer does not fit the task.
    case violation
  }

  /// What kind of failure it is.
  var kind: Kind
  /// Whose trainer it is.
  var site: String
  /// What went wrong, in words that hold no data: others may read it.
  var message: String
  /// The last lines that the program has written, which may hold anything: for the site alone.
  var lines: [String] = []

  /// All of it, for the site's own log.
  var description: String {
    ([shown] + lines.map { "  | \($0)" }).joined(separator: "\n")
  }

  /// What others may know.
  var shown: String { "\(site): its trainer \(message)" }

  /// The error as it leaves the site.
  var leaving: FederationError {
    FederationError(code: kind == .violation ? .protocolViolation : .badTask, message: shown)
  }
}

/// How a process has ended.
enum ProcessExit: Sendable, Equatable, CustomStringConvertible {
  /// By itself.
  case status(Int32)
  /// By a signal.
  case signal(Int32)

  /// What `waitpid` has said.
  init(waitStatus: Int32) {
    let signal = waitStatus & 0x7f
    self = signal == 0 ? .status((waitStatus >> 8) & 0xff) : .signal(signal)
  }

  /// In words.
  var description: String {
    switch self {
    case .status(let status): "exit status \(status)"
    case .signal(let signal): "signal \(signal)"
    }
  }
}
