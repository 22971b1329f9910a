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
    let items = pictures.map { picture in
      Indexing<Tensor>.Item(id: picture.id, metadata: picture.metadata) {
        let file = try contents(of: picture.path)
        // The mapping must outlive what reads it.
        return (
          withExtendedLifetime(file) { Self.digest(of: file.bytes) },
          { try withExtendedLifetime(file) { try pixels(file.bytes, picture.path) } }
        )
      }
    }
    return try await Indexing(batch: batch) { try vectors(stack($0)) }
      .index(items, into: store, removesOthers: removesOthers, progress: progress)
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
    return try PictureShape.square(picture, size: resolution)
  }

  private static func digest(of bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    return Digest.text(hash.finalize())
  }
}
