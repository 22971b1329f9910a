public import TesseraCore

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

  /// How sure the mean recall is, over languages and things.
  ///
  /// - Parameter key: What the draws derive from.
  /// - Returns: The interval; `nil` if nothing was measured.
  public func interval(key: RandomKey = RandomKey(seed: 1)) -> BootstrapInterval? {
    BootstrapInterval(of: languages.mapValues(\.bySubject), key: key)
  }

  /// The mean recalls of groups of languages, each the mean over its languages, and how many these are.
  ///
  /// - Parameter group: The group of a language, by its code; one without is left out.
  /// - Returns: By group.
  public func meanRecalls(
    by group: (String) -> String?
  ) -> [String: (meanRecall: Double, languages: Int)] {
    var groups: [String: [Double]] = [:]
    for (language, score) in languages.sorted(by: { $0.key < $1.key }) {
      if let group = group(language) { groups[group, default: []].append(score.meanRecall) }
    }
    return groups.mapValues { ($0.mean, $0.count) }
  }

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
