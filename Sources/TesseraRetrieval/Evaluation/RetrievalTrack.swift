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

/// What a model achieves on a track.
public struct TrackResult: Sendable, Hashable, Codable {
  /// The track's name.
  public var track: String
  /// Each language's score, by its code.
  public var languages: [String: RetrievalScore]

  /// The mean of the languages' mean recalls, in `0...1`.
  public var meanRecall: Double { mean(\.meanRecall) }
  /// The mean of the languages' gains at ten, in `0...1`.
  public var gainAtTen: Double { mean(\.gainAtTen) }

  private func mean(_ value: (RetrievalScore) -> Double) -> Double {
    guard !languages.isEmpty else { return 0 }
    // In a fixed order, so that the sum is always the same.
    let total = languages.sorted { $0.key < $1.key }.reduce(0) { $0 + value($1.value) }
    return total / Double(languages.count)
  }

  /// Measures a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - dataset: The data set.
  ///   - track: What is measured; a language without a text for any of its concepts is left out.
  ///   - progress: Is told how many languages are done, and of how many.
  /// - Throws: `TensorError` if memory is short; what `progress` throws.
  public init(
    of model: RetrievalModel,
    on dataset: RetrievalDataset,
    _ track: RetrievalTrack,
    progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws {
    self.track = track.name
    languages = [:]
    let pictures = try Self.vectors(of: track.pictures, in: dataset, by: model) {
      try progress(0, track.languages.count)
    }
    let subjects = track.pictures.map { dataset.pictures[$0].concept }
    let members = Set(track.concepts)
    var captions: [String: [Caption]] = [:]
    for caption in dataset.captions
    where caption.kind == track.kind && members.contains(caption.concept) {
      captions[caption.language, default: []].append(caption)
    }
    for (number, language) in track.languages.enumerated() {
      try progress(number, track.languages.count)
      guard let own = captions[language] else { continue }
      languages[language] = try RetrievalScore(
        pictures: pictures,
        texts: model.vectors(ofTexts: own.map(\.text)),
        pictureSubjects: subjects,
        textSubjects: own.map(\.concept),
        words: own.map(\.text)
      ) { _ in try progress(number, track.languages.count) }
    }
    try progress(track.languages.count, track.languages.count)
  }

  /// Some pictures as vectors; the pixels of a few hundred are in memory at a time.
  static func vectors(
    of positions: [Int],
    in dataset: RetrievalDataset,
    by model: RetrievalModel,
    progress: () throws -> Void
  ) throws -> Tensor {
    let size = 256
    let starts = stride(from: 0, to: positions.count, by: size)
    let parts = try starts.map { start in
      try progress()
      let part = Array(positions[start..<min(positions.count, start + size)])
      return try model.vectors(ofPictures: dataset.pixels.gathered(Tensor(part)))
    }
    return try parts.isEmpty
      ? .zeros([0, model.encoder.configuration.dimension]) : concatenate(parts)
  }
}
