/// Something that pictures show and texts name, as "bear".
public struct Concept: Sendable, Hashable {
  /// What it is called in files; no two concepts of a data set share it.
  ///
  /// For emoji, the code points in hexadecimal, joined by `-`.
  public var id: String
  /// Which part of the data set it belongs to.
  public var split: DatasetSplit

  /// Makes a concept.
  public init(id: String, split: DatasetSplit) {
    self.id = id
    self.split = split
  }
}

/// A part of a data set.
public enum DatasetSplit: String, Sendable, Hashable, CaseIterable, Codable {
  /// What models learn from.
  case train
  /// What settings are chosen by.
  case dev
  /// What is measured on, once.
  case test
}
