/// What the repetition of a run has shown, as commands say it.
public struct Verification: Encodable, Sendable {
  /// The run's folder.
  public var folder: String
  /// Whether everything was the same.
  public var isIdentical: Bool
  /// What differs first.
  public var difference: String?
  /// What the record does not have.
  public var notCompared: [String]

  /// What was shown.
  ///
  /// - Parameters:
  ///   - folder: The run's folder.
  ///   - difference: What differs first; `nil` if nothing does.
  ///   - notCompared: What the record does not have, being of an earlier version.
  public init(of folder: String, difference: String?, notCompared: [String] = []) {
    self.folder = folder
    isIdentical = difference == nil
    self.difference = difference
    self.notCompared = notCompared
  }

  /// The same for people.
  public var lines: [String] {
    if let difference { return ["not identical: \(difference)"] }
    let note =
      "Not compared, as the version that made this run did not note it: \(notCompared.joined(separator: "; "))."
    return ["identical"] + (notCompared.isEmpty ? [] : [note])
  }
}
