internal import Foundation
public import SystemPackage
public import TesseraCore
internal import TesseraData

/// Reads pictures from files into squares of one size.
public struct PictureLoader: Sendable {
  /// How a picture that is no square becomes one.
  public enum Fit: String, Sendable, Hashable, CaseIterable, Codable {
    /// All of it, in the middle of white.
    case whole
    /// What the largest square in its middle shows.
    case center
  }

  /// Pictures that could be read, and those that could not.
  public struct Loaded: Sendable {
    /// `[loaded, 3, size, size]`, `uint8`.
    public var pixels: Tensor
    /// Which of the paths were loaded, by their positions, in the order of `pixels`.
    public var positions: [Int]
    /// Which could not be loaded, and why.
    public var skipped: [(path: FilePath, reason: String)]
  }

  /// How many pictures are read before progress is told.
  private static let piece = 32

  /// The height and width of the squares.
  public let size: Int
  /// How a picture that is no square becomes one.
  public var fit: Fit
  /// How many pixels a picture may have, and as many have all together that are read at a time: 100 million take 0.3 GB, and up to 0.4 GB more
  /// where they become a square.
  public let mostPixels: Int
  private let room: ReadingRoom

  /// A loader.
  ///
  /// - Parameters:
  ///   - size: The height and width of the squares, in `1...4096`.
  ///   - fit: How a picture that is no square becomes one.
  ///   - mostPixels: How many pixels a picture may have.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if there is no such size.
  public init(size: Int, fit: Fit = .whole, mostPixels: Int = 100_000_000) throws {
    guard (1...4096).contains(size) else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "pictures cannot be \(size) pixels high"
      )
    }
    self.size = size
    self.fit = fit
    self.mostPixels = mostPixels
    room = ReadingRoom(pixels: max(1, mostPixels))
  }

  /// Loads a picture: PNG or JPEG by its first bytes, SVG by its name.
  ///
  /// - Returns: `[3, size, size]`, `uint8`, on white.
  /// - Throws: ``RetrievalError`` naming the file, if it is missing, damaged, or has too many pixels.
  public func load(_ path: FilePath) throws -> Tensor {
    if path.extension?.lowercased() == "svg" {
      return try Tensor(SVGRenderer().render(path, size: size), shape: [3, size, size])
    }
    do {
      let file = try JSONLines.open(path)
      return try withExtendedLifetime(file) {
        try room.with(pixels: ImageFile.claimedPixels(file.bytes)) {
          let image = try ImageFile.decode(
            file.bytes,
            named: path.string,
            channels: .rgb,
            over: .white,
            atMost: mostPixels
          )
          return try square(image)
        }
      }
    } catch let error as DataError {
      throw RetrievalError(
        code: error.code == .missingFile ? .missingFile : .malformedFile,
        message: error.message
      )
    }
  }

  private func square(_ image: Tensor) throws -> Tensor {
    switch fit {
    case .whole: return try PictureShape.square(image, size: size)
    case .center:
      let (height, width) = (image.shape[1], image.shape[2])
      let side = min(height, width)
      let (top, left) = ((height - side) / 2, (width - side) / 2)
      let square = try image.slices(in: top..<top + side, along: 1)
        .slices(in: left..<left + side, along: 2)
      return try ImageFile.resized(square, height: size, width: size)
    }
  }

  /// Loads pictures; those that cannot be loaded are named and left out.
  ///
  /// - Parameters:
  ///   - paths: The files.
  ///   - progress: Is told how many are done, and of how many; what it throws ends it.
  /// - Returns: The pictures that could be loaded.
  /// - Throws: `TensorError` if memory is short; what `progress` throws.
  public func load(
    _ paths: [FilePath],
    progress: (_ done: Int, _ of: Int) throws -> Void = { _, _ in }
  ) throws -> Loaded {
    // A list of pictures, stacked at the end, would take twice the memory.
    let pixels = try Tensor.zeros([paths.count, 3, size, size], dtype: .uint8)
    var positions: [Int] = []
    var skipped: [(path: FilePath, reason: String)] = []
    for start in stride(from: 0, to: paths.count, by: Self.piece) {
      let piece = paths[start..<min(start + Self.piece, paths.count)]
      let results = try ParallelWork.map(piece.count, step: "", progress: { _ in }) { number in
        do {
          return Result<Tensor, RetrievalError>.success(try load(paths[start + number]))
        } catch let error as RetrievalError {
          return .failure(error)
        }
      }
      for (number, result) in results.enumerated() {
        switch result {
        case .success(let picture):
          // Nobody else has seen the tensor yet.
          try pixels.slice(at: positions.count).overwrite(with: picture)
          positions.append(start + number)
        case .failure(let error): skipped.append((paths[start + number], error.message))
        }
      }
      try progress(piece.endIndex, paths.count)
    }
    return Loaded(
      pixels: try pixels.slices(in: 0..<positions.count),
      positions: positions,
      skipped: skipped
    )
  }
}
