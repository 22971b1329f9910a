internal import TesseraCore

extension CaptionedPictures {
  /// The collection as a data set: each picture is a concept of its own.
  ///
  /// - Parameters:
  ///   - loader: Loads the pictures.
  ///   - part: What it is for: to measure models on, all held out, or to train on.
  ///   - wellResourced: The languages that count as well-resourced; the others are under-resourced.
  ///   - sources: What the collection is from.
  ///   - progress: Is told how many pictures are done; what it throws ends it.
  /// - Returns: The data set, in memory, and the pictures that could not be loaded, with the reasons.
  /// - Throws: ``RetrievalError`` if no picture could be loaded; what `progress` throws.
  public func dataset(
    _ loader: PictureLoader,
    part: DatasetSplit = .test,
    wellResourced: [String] = EmojiBenchmark().wellResourced,
    sources: [DatasetDescription.Source] = [],
    progress: (DatasetProgress) throws -> Void = { _ in }
  ) throws -> (dataset: RetrievalDataset, skipped: [String]) {
    let loaded = try loader.load(items.map(\.picture)) { done, total in
      try progress(DatasetProgress(step: "loading \(name)", done: done, total: total))
    }
    guard !loaded.positions.isEmpty else {
      let first = loaded.skipped.first.map { ": \($0.reason)" } ?? ""
      throw RetrievalError(
        code: .missingFile,
        message: "none of the pictures of \(name) can be loaded\(first)"
      )
    }
    let shown = loaded.positions.map { items[$0] }
    let captions = shown.enumerated().flatMap { concept, item in
      item.texts.map { text in
        Caption(language: text.language, concept: concept, kind: text.kind, text: text.text)
      }
    }
    let languages = Set(captions.lazy.map(\.language))
    let dataset = try RetrievalDataset(
      description: DatasetDescription(
        name: name,
        pictureSize: loader.size,
        sources: sources,
        languages: .init(
          wellResourced: wellResourced.filter(languages.contains),
          underResourced: languages.subtracting(wellResourced).sorted()
        ),
        recipe: ["pictureSize": "\(loader.size)", "fit": loader.fit.rawValue],
        removed: ["pictures that cannot be loaded": loaded.skipped.count]
      ),
      concepts: shown.map { Concept(id: $0.id, split: part) },
      pictures: shown.indices.map { Picture(concept: $0, artist: name, split: part) },
      pixels: loaded.pixels,
      captions: captions
    )
    return (dataset, loaded.skipped.map(\.reason))
  }
}
