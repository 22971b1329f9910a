public import TesseraCore

/// A way to measure a model: which pictures and which texts look for one another.
public struct RetrievalTrack: Sendable, Hashable {
  /// What it is called: `unseen captions`.
  public var name: String
  /// The concepts, by their positions in the data set.
  public var concepts: [Int]
  /// The pictures, by their positions in the data set.
  public var pictures: [Int]
  /// The languages, each measured by itself.
  public var languages: [String]
  /// The kind of text.
  public var kind: Caption.Kind

  /// A track.
  public init(
    name: String,
    concepts: [Int],
    pictures: [Int],
    languages: [String],
    kind: Caption.Kind = .name
  ) {
    self.name = name
    self.concepts = concepts
    self.pictures = pictures
    self.languages = languages
    self.kind = kind
  }

  /// All of a data set in which nothing is divided: a track for each kind of text.
  ///
  /// - Parameter dataset: The data set.
  /// - Returns: Tracks, called after it.
  public static func whole(_ dataset: RetrievalDataset) -> [RetrievalTrack] {
    let languages = dataset.description.languages
    let kinds = Set(dataset.captions.map(\.kind))
    return Caption.Kind.allCases.filter(kinds.contains).map { kind in
      RetrievalTrack(
        name: "\(dataset.description.name), all by \(kind.rawValue)",
        concepts: Array(dataset.concepts.indices),
        pictures: Array(dataset.pictures.indices),
        languages: (languages.wellResourced + languages.underResourced).sorted(),
        kind: kind
      )
    }
  }

  /// What is measured, and how it is built.
  public enum Standard: String, Sendable, Hashable, CaseIterable, Codable {
    /// Held-out concepts by their names in under-resourced languages: captions that were never seen.
    case unseenCaptions = "unseen captions"
    /// As many concepts that pictures were trained on, by their names in under-resourced languages: seen as translations, never with a
    /// picture.
    case bridge
    /// Held-out concepts by their names in well-resourced languages.
    case wellResourced = "well-resourced"
  }

  /// A track of a data set whose pictures and concepts are divided: always with pictures that were never trained on.
  ///
  /// - Parameters:
  ///   - standard: Which.
  ///   - dataset: The data set.
  ///   - split: Whose concepts are held out: those to choose settings by, or those to measure by.
  ///   - key: Draws the concepts of a bridge.
  public init(
    _ standard: Standard,
    of dataset: RetrievalDataset,
    split: DatasetSplit = .test,
    key: RandomKey = RandomKey(seed: 1)
  ) {
    let shown = dataset.pictures.indices.filter { dataset.pictures[$0].split != .train }
    let pictured = Set(shown.map { dataset.pictures[$0].concept })
    func concepts(_ split: DatasetSplit) -> [Int] {
      dataset.concepts.indices.filter {
        dataset.concepts[$0].split == split && pictured.contains($0)
      }
    }
    var chosen = concepts(split)
    if standard == .bridge {
      var numbers = KeyedRandomNumbers(key: key["bridge"])
      chosen = concepts(.train).shuffled(using: &numbers).prefix(chosen.count).sorted()
    }
    let members = Set(chosen)
    let languages = dataset.description.languages
    self.init(
      name: standard.rawValue,
      concepts: chosen,
      pictures: shown.filter { members.contains(dataset.pictures[$0].concept) },
      languages: standard == .wellResourced ? languages.wellResourced : languages.underResourced
    )
  }
}
