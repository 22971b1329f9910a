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
    let reader = PictureReader(
      resolution: resolution,
      mostBytes: mostBytes,
      mostPixels: mostPixels
    )
    let items = pictures.map { picture in
      Indexing<Tensor>.Item(id: picture.id, metadata: picture.metadata) {
        try reader.read(picture.path)
      }
    }
    return try await Indexing(batch: batch) { try vectors(stack($0)) }
      .index(items, into: store, removesOthers: removesOthers, progress: progress)
  }
}

/// Reads pictures into squares, from any thread.
private struct PictureReader: Sendable {
  let resolution: Int
  let mostBytes: Int
  let mostPixels: Int
  /// Of as many pixels as the largest picture may have.
  let room: ReadingRoom

  init(resolution: Int, mostBytes: Int, mostPixels: Int) {
    self.resolution = resolution
    self.mostBytes = mostBytes
    self.mostPixels = mostPixels
    room = ReadingRoom(pixels: mostPixels)
  }

  /// The digest of a picture's file, and its pixels.
  ///
  /// - Throws: ``RetrievalError``, naming the file.
  func read(_ path: FilePath) throws -> (digest: String, content: () throws -> Tensor) {
    let file = try contents(of: path)
    // The mapping must outlive what reads it.
    return withExtendedLifetime(file) {
      var hash = SHA256()
      hash.update(bufferPointer: file.bytes)
      return (
        Digest.text(hash.finalize()),
        { try withExtendedLifetime(file) { try pixels(file.bytes, path) } }
      )
    }
  }

  /// A file's bytes, if it is not too large.
  private func contents(of path: FilePath) throws -> MappedFile {
    var status = stat()
    // Of what a link leads to. Opening what is no file, as a pipe, could wait for ever.
    guard stat(path.string, &status) == 0 else {
      throw RetrievalError(
        code: .missingFile,
        message: "cannot read \(path): \(Errno(rawValue: errno))"
      )
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw RetrievalError(code: .malformedFile, message: "cannot read \(path): it is no file")
    }
    guard Int(status.st_size) <= mostBytes else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) has \(status.st_size) bytes; the limit is \(mostBytes)"
      )
    }
    return try JSONLines.open(path)
  }

  private func pixels(_ bytes: UnsafeRawBufferPointer, _ path: FilePath) throws -> Tensor {
    try room.with(pixels: ImageFile.claimedPixels(bytes)) {
      do {
        let picture = try ImageFile.decode(
          bytes,
          named: path.string,
          channels: .rgb,
          over: .white,
          atMost: mostPixels
        )
        return try PictureShape.square(picture, size: resolution)
      } catch let error as TensorError {
        throw RetrievalError(code: .malformedFile, message: "cannot read \(path): \(error)")
      }
    }
  }
}
