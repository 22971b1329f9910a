public import TesseraCore

/// Concepts with pictures, captions in many languages, and translations: what a retrieval model learns from and is measured on.
///
///     let data = try RetrievalDataset(contentsOf: "emoji")
///     let shown = data.pictures.indices.filter { data.pictures[$0].split == .train }
///     let batch = try data.pixels.gathered(Tensor(Array(shown.prefix(32))))
///
/// In a folder it is five files, which other programs read as easily:
///
/// | file | what it holds |
/// |---|---|
/// | `dataset.json` | the ``DatasetDescription``, how many of everything there are, and the digests of the other files |
/// | `concepts.jsonl` | `{"id":"1F43B","split":"train"}`, a concept a line |
/// | `pictures.jsonl` | `{"concept":"1F43B","artist":"noto","split":"train"}`, a picture a line |
/// | `pictures.safetensors` | `pictures`, `uint8`, `[pictures, 3, size, size]`, in the order of `pictures.jsonl` |
/// | `captions.jsonl` | `{"language":"de","concept":"1F43B","kind":"name","text":"Bär"}` |
/// | `pairs.jsonl` | `{"language":"de","source":"cldr","left":"bear","right":"Bär","concept":"1F43B"}`, `concept` only if there is one |
public struct RetrievalDataset: Sendable {
  /// What the data set is made of.
  public let description: DatasetDescription
  /// The concepts; everything else names them by their positions here.
  public let concepts: [Concept]
  /// The pictures, in the order of their pixels.
  public let pictures: [Picture]
  /// `[pictures, 3, size, size]`, `uint8`: red, green and blue, on white.
  ///
  /// Read from a folder, the memory is the file's, and comes from the disk when it is touched.
  public let pixels: Tensor
  /// What the concepts are called.
  public let captions: [Caption]
  /// Translations to learn from.
  public let pairs: [TextPair]
  /// The SHA-256 digest of its files, in hexadecimal; `nil` if it was not read from a folder.
  ///
  /// What `sha256sum captions.jsonl concepts.jsonl pairs.jsonl pictures.jsonl pictures.safetensors | sha256sum` prints.
  public let digest: String?

  /// A data set in memory.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if two concepts share an identifier, something names
  ///   a concept that is not there, a caption's language is in neither or both groups, or the pixels' shape is not that of the pictures.
  public init(
    description: DatasetDescription,
    concepts: [Concept],
    pictures: [Picture],
    pixels: Tensor,
    captions: [Caption],
    pairs: [TextPair] = []
  ) throws {
    try self.init(
      description: description,
      concepts: concepts,
      pictures: pictures,
      pixels: pixels,
      captions: captions,
      pairs: pairs,
      digest: nil
    )
  }

  init(
    description: DatasetDescription,
    concepts: [Concept],
    pictures: [Picture],
    pixels: Tensor,
    captions: [Caption],
    pairs: [TextPair],
    digest: String?
  ) throws {
    func invalid(_ what: String) -> RetrievalError {
      RetrievalError(code: .invalidArgument, message: "\(description.name): \(what)")
    }
    var ids: Set<String> = []
    for (number, concept) in concepts.enumerated() where !ids.insert(concept.id).inserted {
      throw invalid("concept \(number + 1) has the identifier of another")
    }
    func check(_ kind: String, _ concepts: some Sequence<Int?>) throws {
      for (number, concept) in concepts.enumerated() {
        guard concept.map(self.concepts.indices.contains) ?? true else {
          throw invalid("\(kind) \(number + 1) names a concept that is not there")
        }
      }
    }
    self.concepts = concepts
    self.description = description
    self.pictures = pictures
    self.pixels = pixels
    self.captions = captions
    self.pairs = pairs
    self.digest = digest
    try check("picture", pictures.lazy.map(\.concept))
    try check("caption", captions.lazy.map(\.concept))
    try check("pair", pairs.lazy.map(\.concept))
    let size = description.pictureSize
    guard size > 0, pixels.dtype == .uint8, pixels.shape == [pictures.count, 3, size, size] else {
      throw invalid(
        "its \(pictures.count) pictures of \(size)×\(size) need bytes [\(pictures.count), 3, \(size), \(size)], not \(pixels)"
      )
    }
    let wellResourced = Set(description.languages.wellResourced)
    let underResourced = Set(description.languages.underResourced)
    if let both = wellResourced.intersection(underResourced).min() {
      throw invalid("the language \(both) is both well-resourced and under-resourced")
    }
    let known = wellResourced.union(underResourced)
    for (number, caption) in captions.enumerated() where !known.contains(caption.language) {
      throw invalid("the language of caption \(number + 1) is in neither group of languages")
    }
  }
}

extension RetrievalDataset {
  /// How many translations are from where.
  public var pairsBySource: [String: Int] {
    pairs.reduce(into: [:]) { $0[$1.source, default: 0] += 1 }
  }

  /// The positions of the captions in the given languages, in their order.
  ///
  /// - Parameters:
  ///   - languages: Codes of languages.
  ///   - kinds: Which kinds of text.
  ///   - splits: Of concepts in which parts.
  /// - Returns: Positions in ``captions``.
  public func captions(
    in languages: some Sequence<String>,
    kinds: Set<Caption.Kind> = Set(Caption.Kind.allCases),
    ofConceptsIn splits: Set<DatasetSplit> = Set(DatasetSplit.allCases)
  ) -> [Int] {
    let languages = Set(languages)
    return captions.indices.filter { position in
      let caption = captions[position]
      return languages.contains(caption.language) && kinds.contains(caption.kind)
        && splits.contains(concepts[caption.concept].split)
    }
  }

  /// The positions of the pictures of one part, in their order.
  ///
  /// - Parameters:
  ///   - split: Which part of the pictures.
  ///   - splits: Of concepts in which parts.
  /// - Returns: Positions in ``pictures``.
  public func pictures(
    in split: DatasetSplit,
    ofConceptsIn splits: Set<DatasetSplit> = Set(DatasetSplit.allCases)
  ) -> [Int] {
    pictures.indices.filter { position in
      let picture = pictures[position]
      return picture.split == split && splits.contains(concepts[picture.concept].split)
    }
  }
}
