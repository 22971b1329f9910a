internal import TesseraCore

extension RetrievalExamples {
  /// What a data set has to train on: its pictures for training with the captions of their concepts in some languages, and its
  /// translations.
  ///
  /// Pictures of held-out concepts are among them where the data set has any for training: what is held out of these are their names in
  /// other languages, and other pictures.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - languages: Whose captions go with pictures; the well-resourced ones if `nil`.
  ///   - translates: Whether translations are trained on; without, it is ALIGN's task alone.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if no picture has a caption, and there is no translation.
  public init(
    _ dataset: RetrievalDataset,
    captionsIn languages: [String]? = nil,
    translates: Bool = true
  ) throws {
    var texts = TextList()
    let shown = languages ?? dataset.description.languages.wellResourced
    let parts = Self.parts(
      of: dataset,
      [Part(captions: shown, translations: translates ? nil : [])],
      texts: &texts
    )
    self = try parts[0].examples(texts.texts)
  }

  /// What each of several places has to train on that hold the texts of some languages each.
  ///
  /// A place has the pictures that have captions in a well-resourced language of its own, with these captions, and the translations of
  /// its languages. All share the memory of pictures and texts.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - languages: Those of each place.
  /// - Returns: The places' examples, in that order.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if a place has nothing to train on.
  public static func parts(
    of dataset: RetrievalDataset,
    languages: [[String]]
  ) throws -> [RetrievalExamples] {
    var texts = TextList()
    let wellResourced = Set(dataset.description.languages.wellResourced)
    let parts = parts(
      of: dataset,
      languages.map {
        Part(captions: $0.filter(wellResourced.contains), translations: Set($0))
      },
      texts: &texts
    )
    return try parts.map { try $0.examples(texts.texts) }
  }
}

extension RetrievalExamples {
  /// Texts, each once.
  private struct TextList {
    var texts: [String] = []
    private var places: [String: Int] = [:]

    mutating func place(_ text: String) -> Int {
      if let place = places[text] { return place }
      places[text] = texts.count
      texts.append(text)
      return texts.count - 1
    }
  }

  /// Of which languages somebody has captions and translations; all translations if `nil`.
  private struct Part {
    var captions: [String]
    var translations: Set<String>?
  }

  /// Examples whose texts are not known whole.
  private struct Unfinished {
    var pixels: Tensor
    var places: [Int]
    var subjects: [Int]
    var captions: [[Int]]
    var translations: [[Translation]]

    func examples(_ texts: [String]) throws -> RetrievalExamples {
      try RetrievalExamples(
        pixels: pixels,
        places: places,
        subjects: subjects,
        captions: captions,
        texts: texts,
        translations: translations
      )
    }
  }

  private static func parts(
    of dataset: RetrievalDataset,
    _ parts: [Part],
    texts: inout TextList
  ) -> [Unfinished] {
    let shown = dataset.pictures(in: .train)
    return parts.map { part in
      var captions: [Int: [Int]] = [:]
      for position in dataset.captions(in: part.captions) {
        let caption = dataset.captions[position]
        captions[caption.concept, default: []].append(texts.place(caption.text))
      }
      let pictures = shown.filter { captions[dataset.pictures[$0].concept] != nil }
      var groups: [String: [Translation]] = [:]
      for pair in dataset.pairs where part.translations?.contains(pair.language) ?? true {
        groups[pair.language, default: []].append(
          Translation(left: texts.place(pair.left), right: texts.place(pair.right))
        )
      }
      return Unfinished(
        pixels: dataset.pixels,
        places: pictures,
        subjects: pictures.map { dataset.pictures[$0].concept },
        captions: pictures.map { captions[dataset.pictures[$0].concept] ?? [] },
        translations: groups.sorted { $0.key < $1.key }.map(\.value)
      )
    }
  }
}
