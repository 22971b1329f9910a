internal import Crypto
internal import Foundation
internal import SystemPackage
public import TesseraCore
internal import TesseraData
internal import TesseraRun

/// Puts pictures into a store: those that are new or have changed since the last time.
///
///     let indexer = PictureIndexer(model)
///     let report = try await indexer.index(ListedPicture.all(in: "photos"), into: store)
///
/// A picture is known by the SHA-256 of its file and of its metadata, which the store keeps as its digest. So an indexing that was
/// interrupted is continued by starting it again. What cannot be read is named in the report, and the rest goes on. Like its model, an indexer
/// belongs to one task at a time.
public struct PictureIndexer {
  /// How many pictures become vectors, and are written, at a time.
  public var batch = 64
  /// The most bytes that a file may have.
  public var mostBytes = 256 << 20
  /// The most pixels that a picture may have.
  public var mostPixels = 1 << 26
  private let resolution: Int
  private let vectors: (Tensor) throws -> Tensor

  /// An indexer for a model.
  public init(_ model: RetrievalModel) {
    self.init(resolution: model.encoder.configuration.image.resolution) {
      try model.vectors(ofPictures: $0)
    }
  }

  /// An indexer for anything that makes vectors of pictures.
  ///
  /// - Parameters:
  ///   - resolution: Height and width that pictures are brought to.
  ///   - vectors: Makes `[pictures, dimension]` of `[pictures, 3, resolution, resolution]`, `uint8`.
  public init(resolution: Int, vectors: @escaping (Tensor) throws -> Tensor) {
    self.resolution = resolution
    self.vectors = vectors
  }

  /// Puts pictures into a store.
  ///
  /// - Parameters:
  ///   - pictures: With different ids.
  ///   - store: Of the same model.
  ///   - removesOthers: Whether entries that are not among the pictures are removed.
  ///   - progress: Is told after each picture.
  /// - Returns: What became of them.
  /// - Throws: What the store throws, ``RetrievalError`` if ids repeat, `CancellationError`; what was written until then is in the store.
  public func index(
    _ pictures: [ListedPicture],
    into store: any VectorStore,
    removesOthers: Bool = false,
    progress: (IndexingReport) -> Void = { _ in }
  ) async throws -> IndexingReport {
    let start = ContinuousClock.now
    var report = IndexingReport(total: pictures.count)
    var known = try await knownDigests(store)
    let ids = Set(pictures.map(\.id))
    guard ids.count == pictures.count else {
      throw RetrievalError(code: .invalidArgument, message: "two pictures have the same id")
    }
    var waiting: [(picture: ListedPicture, digest: String, pixels: Tensor)] = []
    func note() {
      report.seconds = (ContinuousClock.now - start) / .seconds(1)
      progress(report)
    }
    func write() async throws {
      guard !waiting.isEmpty else { return }
      let entries = try entries(waiting.map { ($0.picture, $0.digest) }, waiting.map(\.pixels))
      let (old, new) = (
        entries.filter { known[$0.id] != nil }, entries.filter { known[$0.id] == nil }
      )
      if !new.isEmpty { try await store.add(new) }
      if !old.isEmpty { try await store.update(old) }
      report.added += new.count
      report.updated += old.count
      waiting = []
    }
    for picture in pictures {
      try Task.checkCancellation()
      do {
        let file = try contents(of: picture.path)
        let digest = try Self.digest(of: file.bytes, picture.metadata)
        if known[picture.id] == digest {
          report.unchanged += 1
        } else {
          waiting.append((picture, digest, try pixels(file.bytes, picture.path)))
        }
      } catch let error where error is RetrievalError || error is DataError {
        report.skipped.append(IndexingReport.Skipped(id: picture.id, reason: "\(error)"))
      }
      if waiting.count >= max(1, batch) { try await write() }
      note()
    }
    try await write()
    if removesOthers {
      for id in ids { known[id] = nil }
      let gone = known.keys.sorted()
      for first in stride(from: 0, to: gone.count, by: 1000) {
        report.removed += try await store.remove(Array(gone[first..<min(gone.count, first + 1000)]))
      }
    }
    note()
    return report
  }

  private func knownDigests(_ store: any VectorStore) async throws -> [String: String] {
    var known: [String: String] = [:]
    var last: String?
    let page = 10_000
    while true {
      let found = try await store.digests(after: last, limit: page)
      for (id, digest) in found { known[id] = digest }
      guard found.count == page, let next = found.last?.id else { return known }
      last = next
    }
  }

  /// A file's bytes, if it is not too large.
  private func contents(of path: FilePath) throws -> MappedFile {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path.string)
    if let size = attributes?[.size] as? Int, size > mostBytes {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) has \(size) bytes; the limit is \(mostBytes)"
      )
    }
    return try JSONLines.open(path)
  }

  private func pixels(_ bytes: UnsafeRawBufferPointer, _ path: FilePath) throws -> Tensor {
    let picture = try ImageFile.decode(
      bytes,
      named: path.string,
      channels: .rgb,
      over: .white,
      atMost: mostPixels
    )
    return try ImageFile.resized(picture, height: resolution, width: resolution)
  }

  private func entries(
    _ pictures: [(picture: ListedPicture, digest: String)],
    _ pixels: [Tensor]
  ) throws -> [VectorEntry] {
    let vectors = try vectors(stack(pixels))
    guard vectors.shape.count == 2, vectors.shape[0] == pictures.count else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(pictures.count) pictures have become \(vectors)"
      )
    }
    let (numbers, dimension) = (try vectors.to(.float32).array(of: Float.self), vectors.shape[1])
    return pictures.enumerated().map { row, entry in
      VectorEntry(
        id: entry.picture.id,
        vector: Array(numbers[row * dimension..<(row + 1) * dimension]),
        metadata: entry.picture.metadata,
        digest: entry.digest
      )
    }
  }

  /// Of a file and what is said of it: when either changes, so does the entry.
  private static func digest(
    of bytes: UnsafeRawBufferPointer,
    _ metadata: [String: MetadataValue]
  ) throws -> String {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    let file = Digest.text(hash.finalize())
    guard !metadata.isEmpty else { return file }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return Digest.sha256(
      ofText: "\(file)\n\(String(decoding: try encoder.encode(metadata), as: UTF8.self))"
    )
  }
}
