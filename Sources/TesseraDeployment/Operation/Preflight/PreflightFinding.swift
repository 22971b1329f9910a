/// What a preflight found out about one thing.
public struct PreflightFinding: Sendable, Hashable, Codable {
  /// What was found: a name that the operators' page explains.
  public var code: Code
  /// Whether it is as it should be.
  public var verdict: Verdict
  /// What was found, with the names of files, servers and ports.
  public var message: String

  /// A finding.
  public init(_ code: Code, _ message: String) {
    self.code = code
    verdict = code.verdict
    self.message = message
  }

  /// What to do about it; `nil` if there is nothing to do.
  public var advice: String? { code.advice }

  /// Whether something is as it should be.
  public enum Verdict: String, Sendable, Hashable, Codable {
    /// It is.
    case good
    /// Jobs can run, and somebody should look at it.
    case warning
    /// Jobs cannot run.
    case failure

    /// ✓, ! or ✗.
    public var mark: String {
      switch self {
      case .good: "✓"
      case .warning: "!"
      case .failure: "✗"
      }
    }
  }

  /// What a preflight can find.
  public enum Code: String, Sendable, Hashable, Codable, CaseIterable {
    case kitWhole = "kit-whole"
    case kitUnreadable = "kit-unreadable"
    case kitAltered = "kit-altered"
    case kitUntrusted = "kit-untrusted"
    case certificateGood = "certificate-good"
    case certificateEndsSoon = "certificate-ends-soon"
    case certificateOutOfTime = "certificate-out-of-time"
    case certificateRevoked = "certificate-revoked"
    case authorityEndsSoon = "authority-ends-soon"
    case keysPrivate = "keys-private"
    case keysReadable = "keys-readable"
    case clockGood = "clock-good"
    case clockBehind = "clock-behind"
    case clockAgrees = "clock-agrees"
    case clockApart = "clock-apart"
    case clockDiffers = "clock-differs"
    case nameResolved = "name-resolved"
    case nameUnresolved = "name-unresolved"
    case serverGood = "server-good"
    case serverUnreachable = "server-unreachable"
    case serverNotListening = "server-not-listening"
    case serverWithoutTLS = "server-without-tls"
    case serverUntrusted = "server-untrusted"
    case serverRefuses = "server-refuses"
    case serverOtherName = "server-other-name"
    case portFree = "port-free"
    case portOwn = "port-own"
    case portTaken = "port-taken"
    case portNotAllowed = "port-not-allowed"
    case diskGood = "disk-good"
    case diskLow = "disk-low"
    case diskFull = "disk-full"
    case folderWritable = "folder-writable"
    case folderReadOnly = "folder-read-only"
    case filesGood = "files-good"
    case filesFew = "files-few"
    case policyGood = "policy-good"
    case policyWrong = "policy-wrong"
    case dataGood = "data-good"
    case dataNone = "data-none"
    case dataWrong = "data-wrong"
    case dataUnreadable = "data-unreadable"
    case pythonGood = "python-good"
    case pythonMissing = "python-missing"
    case databaseGood = "database-good"
    case databaseMissing = "database-missing"
    case databaseInTheClear = "database-in-the-clear"
    case databaseUnreachable = "database-unreachable"
    case databaseNewer = "database-newer"
    case databaseRefused = "database-refused"

    /// Whether it is as it should be.
    public var verdict: Verdict {
      switch self {
      case .kitWhole, .certificateGood, .keysPrivate, .clockGood, .clockAgrees, .nameResolved,
        .serverGood, .portFree, .portOwn, .diskGood, .folderWritable, .filesGood, .policyGood,
        .dataGood,
        .pythonGood, .databaseGood:
        .good
      case .certificateEndsSoon, .authorityEndsSoon, .keysReadable, .clockBehind, .clockApart,
        .serverNotListening, .serverOtherName, .diskLow, .filesFew, .dataNone, .pythonMissing,
        .databaseInTheClear:
        .warning
      case .kitUnreadable, .kitAltered, .kitUntrusted, .certificateOutOfTime, .certificateRevoked,
        .clockDiffers, .nameUnresolved, .serverUnreachable, .serverWithoutTLS, .serverUntrusted,
        .serverRefuses, .portTaken, .portNotAllowed, .diskFull, .folderReadOnly, .policyWrong,
        .dataWrong, .dataUnreadable, .databaseMissing, .databaseUnreachable, .databaseNewer,
        .databaseRefused:
        .failure
      }
    }
  }
}
