internal import Foundation
public import SystemPackage
internal import TesseraCore
internal import TesseraRun

extension RetrievalDataset {
  /// Writes the data set to a folder: completely or not at all.
  ///
  /// The same data set gives the same bytes.
  ///
  /// - Parameter folder: Another data set of that name is replaced; anything else is refused.
  /// - Returns: The data set as it is in the folder, its pixels mapped from there.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/cannotWrite``, or `TensorError`, if the system refuses.
  @discardableResult
  public func write(to folder: FilePath) throws -> RetrievalDataset {
    try AtomicFolder.write(
      to: folder,
      mayReplace: { names in names.allSatisfy((File.data + [File.manifest]).contains) },
      { neighbour in
        try writeFiles(to: neighbour)
        // Before it has its name: there another process may replace it.
        return try RetrievalDataset(contentsOf: neighbour, isVerified: false)
      }
    )
  }

  private func writeFiles(to folder: FilePath) throws {
    func write(_ text: JSONLinesText, _ name: String) throws {
      try AtomicFile.write(to: folder.appending(name)) { writer in
        try text.bytes.withUnsafeBytes { try writer.write($0) }
      }
    }
    var lines = JSONLinesText()
    for concept in concepts { lines.append(["id": concept.id, "split": concept.split.rawValue]) }
    try write(lines, File.concepts)

    lines = JSONLinesText()
    for picture in pictures {
      lines.append([
        "concept": concepts[picture.concept].id, "artist": picture.artist,
        "split": picture.split.rawValue,
      ])
    }
    try write(lines, File.pictures)

    lines = JSONLinesText()
    for caption in captions {
      lines.append([
        "language": caption.language, "concept": concepts[caption.concept].id,
        "kind": caption.kind.rawValue, "text": caption.text,
      ])
    }
    try write(lines, File.captions)

    lines = JSONLinesText()
    for pair in pairs {
      lines.append([
        "language": pair.language, "source": pair.source, "left": pair.left, "right": pair.right,
        "concept": pair.concept.map { concepts[$0].id },
      ])
    }
    try write(lines, File.pairs)
    try SafeTensors.write([(File.tensor, pixels)], to: folder.appending(File.pixels))
    try writeManifest(to: folder)
  }

  private func writeManifest(to folder: FilePath) throws {
    var files: [String: String] = [:]
    for name in File.data { files[name] = try Digest.sha256(ofFile: folder.appending(name)) }
    let splits = Dictionary(grouping: concepts, by: \.split.rawValue).mapValues(\.count)
    let manifest = Manifest(
      version: Manifest.current,
      description: description,
      counts: [
        File.concepts: concepts.count, File.pictures: pictures.count,
        File.captions: captions.count, File.pairs: pairs.count,
      ],
      splits: splits,
      files: files,
      digest: Self.digest(of: files)
    )
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(manifest), as: UTF8.self)
    try AtomicFile.write(text + "\n", to: folder.appending(File.manifest))
  }
}
