internal import SystemPackage
internal import TesseraCore

/// Reads the files of a data set's folder.
struct DatasetReader {
  let folder: FilePath
  private typealias File = RetrievalDataset.File

  private struct ConceptLine: Decodable {
    var id: String
    var split: DatasetSplit
  }

  private struct PictureLine: Decodable {
    var concept: String
    var artist: String
    var split: DatasetSplit
  }

  private struct CaptionLine: Decodable {
    var language: String
    var concept: String
    var kind: Caption.Kind
    var text: String
  }

  private struct PairLine: Decodable {
    var language: String
    var source: String
    var left: String
    var right: String
    var concept: String?
  }

  func concepts() throws -> [Concept] {
    let path = folder.appending(File.concepts)
    var (concepts, ids): ([Concept], Set<String>) = ([], [])
    try JSONLines.read(ConceptLine.self, from: path) { line, number in
      guard ids.insert(line.id).inserted else {
        throw JSONLines.malformed(path, number, "the concept was there before")
      }
      concepts.append(Concept(id: line.id, split: line.split))
    }
    return concepts
  }

  func pictures(_ concepts: [String: Int]) throws -> [Picture] {
    let path = folder.appending(File.pictures)
    var pictures: [Picture] = []
    try JSONLines.read(PictureLine.self, from: path) { line, number in
      let concept = try known(line.concept, concepts, path, number)
      pictures.append(Picture(concept: concept, artist: line.artist, split: line.split))
    }
    return pictures
  }

  func captions(_ concepts: [String: Int]) throws -> [Caption] {
    let path = folder.appending(File.captions)
    var captions: [Caption] = []
    try JSONLines.read(CaptionLine.self, from: path) { line, number in
      let concept = try known(line.concept, concepts, path, number)
      captions.append(
        Caption(language: line.language, concept: concept, kind: line.kind, text: line.text)
      )
    }
    return captions
  }

  func pairs(_ concepts: [String: Int]) throws -> [TextPair] {
    let path = folder.appending(File.pairs)
    var pairs: [TextPair] = []
    try JSONLines.read(PairLine.self, from: path) { line, number in
      pairs.append(
        TextPair(
          language: line.language,
          source: line.source,
          left: line.left,
          right: line.right,
          concept: try line.concept.map { try known($0, concepts, path, number) }
        )
      )
    }
    return pairs
  }

  /// `[pictures, 3, size, size]`, over the file's memory.
  func pixels() throws -> Tensor {
    do {
      return try SafeTensors(contentsOf: folder.appending(File.pixels)).tensor(File.tensor)
    } catch let error as TensorError {
      throw RetrievalError(
        code: error.code == .fileSystem ? .missingFile : .malformedFile,
        message: error.message
      )
    }
  }

  private func known(
    _ concept: String,
    _ concepts: [String: Int],
    _ path: FilePath,
    _ line: Int
  ) throws -> Int {
    guard let number = concepts[concept] else {
      throw JSONLines.malformed(path, line, "its concept is not in \(File.concepts)")
    }
    return number
  }
}
