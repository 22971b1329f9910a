internal import TesseraCore

/// A site's part in a round.
public struct Contribution: Sendable, Hashable, Codable {
  /// The site's position in the list of sites.
  public var index: Int
  /// The site's name.
  public var site: String
  /// With which weight it contributed.
  public var weight: Double
  /// What the site measured.
  public var metrics: [String: Double]
  /// How many examples it has.
  public var exampleCount: Int
  /// What it did.
  public var task: TaskName

  /// Makes an entry.
  public init(
    site: Site,
    weight: Double,
    metrics: [String: Double],
    task: TaskName = .train
  ) {
    self.task = task
    index = site.index
    self.site = site.name
    self.weight = weight
    self.metrics = metrics
    exampleCount = site.exampleCount
  }
}

/// An answer that was not used.
public struct Refusal: Sendable, Hashable, Codable {
  /// The site's position in the list of sites.
  public var index: Int
  /// Whose.
  public var site: String
  /// Why not; names the site, and the tensor if it was one.
  public var reason: String

  /// Makes an entry.
  ///
  /// Sites word their reasons themselves, and records, reports and terminals show them: of the text stays one line of printable
  /// characters, 500 at most.
  public init(site: Site, reason: String) {
    index = site.index
    self.site = site.name
    self.reason = reason.isPlainLine ? reason : reason.plainLine
  }
}

extension String {
  private static let longestLine = 500

  /// Whether the text is one short line of ASCII without control characters, as nearly all reasons are.
  fileprivate var isPlainLine: Bool {
    utf8.count <= Self.longestLine && utf8.allSatisfy { (0x20..<0x7f).contains($0) }
  }

  /// The text with a space for whatever is no printable character.
  fileprivate var plainLine: String {
    var line = UnicodeScalarView()
    for scalar in unicodeScalars.prefix(Self.longestLine) {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
        .unassigned:
        line.append(" ")
      default: line.append(scalar)
      }
    }
    return String(line).split(separator: " ").joined(separator: " ")
  }
}

/// What travelled in a round.
public struct Traffic: Sendable, Hashable, Codable {
  /// The bytes of all tensors that sites were sent.
  public var down = 0
  /// The bytes of all tensors that sites answered with.
  public var up = 0
  /// What ``up`` would have been without compression and encryption.
  public var upUnprocessed = 0

  /// Nothing yet.
  public init() {}

  /// How many times smaller the answers were than without the filters that change their size; `nil` if nothing did.
  public var compression: Double? {
    up > 0 && up != upUnprocessed ? Double(upUnprocessed) / Double(up) : nil
  }

  /// Adds what another task moved.
  public static func += (a: inout Traffic, b: Traffic) {
    a.down += b.down
    a.up += b.up
    a.upUnprocessed = a.upUnprocessed.addingUpToLimit(b.upUnprocessed)
  }
}

extension Exchange {
  /// The size that the tensors had before anything was done to them, in bytes.
  ///
  /// What filters of the server have undone counts as it is now; for the rest, the site's notes are taken at their word.
  var unprocessedByteCount: Int {
    let own = metadata.processing.reduce(tensors.byteCount) { size, note in
      guard note.bytesBefore >= 0, note.bytesAfter >= 0 else { return size }
      return max(0, size.addingUpToLimit(note.bytesBefore - note.bytesAfter))
    }
    return parts.values.reduce(own) { $0.addingUpToLimit($1.unprocessedByteCount) }
  }
}

extension Int {
  /// The sum, or the greatest number if it is more: sizes that sites claim must not overflow.
  func addingUpToLimit(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
