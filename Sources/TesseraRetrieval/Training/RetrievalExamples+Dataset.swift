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
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if no picture has a caption.
  public init(
    _ dataset: RetrievalDataset,
    captionsIn languages: [String]? = nil,
    translates: Bool = true
  ) throws {
    var texts: [String] = []
    var places: [String: Int] = [:]
    func place(_ text: String) -> Int {
      if let place = places[text] { return place }
      places[text] = texts.count
      texts.append(text)
      return texts.count - 1
    }
    var captions: [Int: [Int]] = [:]
    let shown = languages ?? dataset.description.languages.wellResourced
    for position in dataset.captions(in: shown) {
      let caption = dataset.captions[position]
      captions[caption.concept, default: []].append(place(caption.text))
    }
    let pictures = dataset.pictures(in: .train)
      .filter { captions[dataset.pictures[$0].concept] != nil }
    var groups: [String: [Translation]] = [:]
    if translates {
      for pair in dataset.pairs {
        groups[pair.language, default: []].append(
          Translation(left: place(pair.left), right: place(pair.right))
        )
      }
    }
    try self.init(
      pixels: dataset.pixels.gathered(.init(pictures)),
      subjects: pictures.map { dataset.pictures[$0].concept },
      captions: pictures.map { captions[dataset.pictures[$0].concept] ?? [] },
      texts: texts,
      translations: groups.sorted { $0.key < $1.key }.map(\.value)
    )
  }
}
