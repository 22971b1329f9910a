internal import TesseraCore
internal import TesseraData
internal import TesseraRun

/// What people look at: pictures that a text finds, and texts that a picture finds.
struct ShownSearches {
  private let dataset: RetrievalDataset
  private let track: RetrievalTrack
  private let pixels: Tensor
  private let subjects: [Int]

  /// Searches among a track's pictures.
  init(_ dataset: RetrievalDataset, _ track: RetrievalTrack) throws {
    self.dataset = dataset
    self.track = track
    pixels = try dataset.pixels.gathered(Tensor(track.pictures))
    subjects = track.pictures.map { dataset.pictures[$0].concept }
  }

  /// A concept's name in a language.
  private func name(of concept: Int, in language: String) -> String? {
    dataset.captions.first {
      $0.concept == concept && $0.language == language && $0.kind == track.kind
    }?.text
  }

  /// Concepts that all of some languages name, evenly taken from the track.
  func concepts(_ count: Int, namedIn languages: [String]) -> [Int] {
    let wanted = Set(languages)
    var named: [Int: Set<String>] = [:]
    for caption in dataset.captions where wanted.contains(caption.language) {
      named[caption.concept, default: []].insert(caption.language)
    }
    let all = track.concepts.filter { named[$0]?.count == wanted.count }
    guard all.count > count else { return all }
    return (0..<count).map { all[$0 * all.count / count] }
  }

  /// The first pictures for each query, each model's in a column.
  func pictures(
    for queries: [(language: String, concept: Int)],
    by models: [(title: String, model: RetrievalModel)],
    first: Int = 5
  ) throws -> PictureTable {
    let known = queries.compactMap { query in
      name(of: query.concept, in: query.language).map { (query: query, text: $0) }
    }
    let columns = try models.map { _, model in
      let pictures = try model.vectors(ofPictures: pixels)
      let texts = try model.vectors(ofTexts: known.map(\.text))
      let (_, places) = try texts.matmul(pictures.transposed()).top(first, along: 1)
      let found = try places.array(of: Int64.self).map(Int.init)
      return try known.indices.map { row in
        try found[row * first..<(row + 1) * first].map { place in
          PictureTable.Tile(
            png: try ImageFile.png(pixels.slice(at: place)),
            label: name(of: subjects[place], in: "en") ?? dataset.concepts[subjects[place]].id,
            isRight: subjects[place] == known[row].query.concept
          )
        }
      }
    }
    return PictureTable(
      header: ["language", "text"] + models.map(\.title),
      rows: known.indices.map { row in
        let (query, text) = known[row]
        let english = name(of: query.concept, in: "en").map { " (\($0))" } ?? ""
        return [.text(query.language), .text(text + english)] + columns.map { .tiles($0[row]) }
      }
    )
  }

  /// The first texts for each picture among those of a language, each model's in a column.
  func texts(
    in languages: [String],
    for concepts: [Int],
    by models: [(title: String, model: RetrievalModel)],
    first: Int = 5
  ) throws -> PictureTable {
    var rows: [[PictureTable.Cell]] = []
    let members = Set(track.concepts)
    for (number, language) in languages.enumerated() {
      let captions = dataset.captions.filter {
        $0.language == language && $0.kind == track.kind && members.contains($0.concept)
      }
      guard captions.count >= first, !concepts.isEmpty else { continue }
      let concept = concepts[number % concepts.count]
      guard let place = subjects.firstIndex(of: concept) else { continue }
      let picture = try pixels.slices(in: place..<place + 1)
      let right = Set(captions.filter { $0.concept == concept }.map(\.text))
      let tile = PictureTable.Tile(
        png: try ImageFile.png(picture.slice(at: 0)),
        label: name(of: concept, in: "en") ?? dataset.concepts[concept].id
      )
      let columns = try models.map { _, model -> PictureTable.Cell in
        let texts = try model.vectors(ofTexts: captions.map(\.text))
        let similarity = try model.vectors(ofPictures: picture).matmul(texts.transposed())
        let found = try similarity.top(first, along: 1).indices.array(of: Int64.self)
        return .list(
          found.map { index in
            let text = captions[Int(index)].text
            return (text: text, isRight: right.contains(text))
          }
        )
      }
      rows.append([.tiles([tile]), .text(language)] + columns)
    }
    return PictureTable(header: ["picture", "language"] + models.map(\.title), rows: rows)
  }
}
