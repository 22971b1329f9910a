internal import Foundation
public import SystemPackage
public import TesseraCore
internal import TesseraData
internal import TesseraNN
internal import TesseraRun

/// A trained model with its tokenizer: what pictures and texts are turned into vectors by.
///
///     let model = try RetrievalModel(contentsOf: "models/emoji")
///     let query = try model.vectors(ofTexts: ["samovar", "самовар"])  // [2, dimension]
///
/// In a folder it is `model.json` (what it is made of), `weights.safetensors`, and what its tokenizer reads. Like every module it belongs
/// to one task at a time.
public final class RetrievalModel {
  /// The towers.
  public let encoder: DualEncoder
  /// Turns texts into what the text tower reads.
  public let tokenizer: any Tokenizer
  /// Which tokenizer that is.
  public let tokenizerConfiguration: TokenizerConfiguration
  /// The SHA-256 of all that vectors depend on, hexadecimal; an index names the model that it belongs to by it.
  public let digest: String
  /// The scripts of the texts that it was trained on, as `Latin`; `nil` if that is not known.
  public let scripts: [String]?

  /// A model that was just made or trained.
  ///
  /// - Parameters:
  ///   - encoder: The towers.
  ///   - tokenizer: Its tokenizer.
  ///   - configuration: Which tokenizer that is.
  ///   - scripts: Those of the texts that it was trained on, if that is known.
  /// - Throws: `TensorError` if memory is short.
  public init(
    _ encoder: DualEncoder,
    _ tokenizer: any Tokenizer,
    _ configuration: TokenizerConfiguration,
    scripts: [String]? = nil
  ) throws {
    self.scripts = scripts
    self.encoder = encoder
    self.tokenizer = tokenizer
    tokenizerConfiguration = configuration
    digest = try Self.digest(of: encoder, tokenizer, configuration)
    encoder.setMode(.evaluation)
  }

  /// Reads a model's folder.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - device: Where it computes.
  /// - Throws: ``RetrievalError`` or `TensorError`, naming the file, if one is missing, damaged or does not fit the others.
  public init(contentsOf folder: FilePath, on device: Device = .cpu) throws {
    let path = folder.appending(Self.configurationFile)
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(
        code: .missingFile,
        message: "\(folder) is no model of pictures and texts: \(path) cannot be read"
      )
    }
    let file: File
    do {
      file = try JSONDecoder().decode(File.self, from: data)
    } catch {
      throw RetrievalError(code: .malformedFile, message: "\(path) is not a model's description")
    }
    guard file.format == File.currentFormat else {
      throw RetrievalError(
        code: .malformedFile,
        message: "\(path) is of format \(file.format), which this version does not read"
      )
    }
    tokenizer = try file.tokenizer.tokenizer(in: folder)
    scripts = file.scripts
    tokenizerConfiguration = file.tokenizer
    // Any draws: the file's weights take their place.
    encoder = try DualEncoder(
      file.model,
      vocabulary: tokenizer.count,
      using: Generator(seed: 0)
    )
    try encoder.load(ModelState(contentsOf: folder.appending(Self.weightsFile)))
    digest = try Self.digest(of: encoder, tokenizer, tokenizerConfiguration)
    if device != .cpu { try encoder.move(to: device) }
    encoder.setMode(.evaluation)
  }

  /// Writes a model's folder: the description last, so that what is not whole is no model.
  ///
  /// - Throws: `TensorError`, naming the file, if the system refuses.
  public func write(to folder: FilePath) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: folder.string,
        withIntermediateDirectories: true
      )
    } catch {
      throw RetrievalError(code: .cannotWrite, message: "the folder \(folder) cannot be made")
    }
    switch tokenizer {
    case let pieces as SentencePiece:
      try pieces.write(to: folder.appending(TokenizerConfiguration.sentencePieceFile))
    case let pieces as WordPiece:
      try AtomicFile.write(
        pieces.vocabulary.tokens.map { $0 + "\n" }.joined(),
        to: folder.appending(TokenizerConfiguration.vocabularyFile)
      )
    default: break
    }
    try encoder.state().write(
      to: folder.appending(Self.weightsFile),
      metadata: ["producer": "tessera"]
    )
    try AtomicFile.write(
      Self.text(
        File(
          model: encoder.configuration,
          tokenizer: tokenizerConfiguration,
          scripts: scripts
        )
      ) + "\n",
      to: folder.appending(Self.configurationFile)
    )
  }

  /// The scripts of a text that were in no text that the model has learnt from: what is found by it is chance.
  ///
  /// - Returns: Their names, as `Devanagari`; none if it is not known what the model has learnt from.
  public func unknownScripts(of text: String) -> [String] {
    let known =
      scripts.map(Set.init)
      ?? (tokenizer as? WordPiece).map { TextScripts.names(of: $0.vocabulary.tokens) }
    guard let known else { return [] }
    return TextScripts.names(of: [text]).subtracting(known).sorted()
  }

  /// What texts are compared with.
  public enum Comparison: Sendable, Hashable {
    /// Pictures.
    case pictures
    /// Other texts, as translations: another space where a model has a head for each task.
    case texts
  }

  /// Texts as vectors.
  ///
  /// - Parameters:
  ///   - texts: Any number, in any language.
  ///   - comparison: What they are compared with.
  ///   - batch: How many are read at a time.
  /// - Returns: `[texts, dimension]`, rows of length 1.
  /// - Throws: `TensorError` if memory is short.
  public func vectors(
    ofTexts texts: [String],
    for comparison: Comparison = .pictures,
    batch: Int = 256
  ) throws -> Tensor {
    try inBatches(texts.count, of: batch) { range in
      let features = try encoder.textTower(
        tokenizer.batch(Array(texts[range]), atMost: encoder.configuration.text.limit)
      )
      return switch comparison {
      case .pictures: try encoder.captions(features: features)
      case .texts: try encoder.translations(features: features)
      }
    }
  }

  /// Pictures as vectors.
  ///
  /// - Parameters:
  ///   - pixels: `[pictures, 3, size, size]`, `uint8`; ``square(_:)`` makes squares of others.
  ///   - batch: How many are looked at at a time.
  /// - Returns: `[pictures, dimension]`, rows of length 1.
  /// - Throws: ``RetrievalError`` if they are no squares, `TensorError` if memory is short.
  public func vectors(ofPictures pixels: Tensor, batch: Int = 128) throws -> Tensor {
    let size = encoder.configuration.image.resolution
    let device = encoder.device
    guard pixels.rank == 4, pixels.shape[1] == 3, pixels.shape[2] == pixels.shape[3] else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "pictures are squares [pictures, 3, size, size], not \(pixels.shape)"
      )
    }
    return try inBatches(pixels.shape[0], of: batch) { range in
      let part = try ImageFile.resized(pixels.slices(in: range), height: size, width: size)
      return try encoder.pictures(part.moved(to: device).to(.float32) * (1.0 / 255))
    }
  }

  /// A picture as a square of the model's resolution: whole, in the middle, on white.
  ///
  /// - Parameter picture: `[3, height, width]`, `uint8`.
  /// - Returns: `[3, resolution, resolution]`, `uint8`.
  /// - Throws: `TensorError` if it is no such picture.
  public func square(_ picture: Tensor) throws -> Tensor {
    try PictureShape.square(picture, size: encoder.configuration.image.resolution)
  }

  private func inBatches(
    _ count: Int,
    of size: Int,
    _ body: (Range<Int>) throws -> Tensor
  ) throws -> Tensor {
    guard count > 0 else { return try .zeros([0, encoder.configuration.dimension]) }
    let starts = stride(from: 0, to: count, by: max(1, size))
    let parts = try withoutGradient {
      try starts.map { try body($0..<min(count, $0 + max(1, size))).moved(to: .cpu) }
    }
    return parts.count == 1 ? parts[0] : try concatenate(parts)
  }
}

extension RetrievalModel {
  private static let configurationFile = "model.json"
  private static let weightsFile = "weights.safetensors"

  /// `model.json`.
  private struct File: Codable {
    static let currentFormat = 1
    var format = File.currentFormat
    var model: DualEncoderConfiguration
    var tokenizer: TokenizerConfiguration
    /// Of the texts that the model was trained on; vectors do not depend on it.
    var scripts: [String]?
  }

  private static func text(_ file: File) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(file), as: UTF8.self)
  }

  /// The digest of what a tokenizer has learnt; `nil` if it has learnt nothing.
  static func digest(of tokenizer: any Tokenizer) -> String? {
    switch tokenizer {
    case let pieces as SentencePiece: Digest.sha256(of: pieces.bytes)
    case let pieces as WordPiece:
      Digest.sha256(ofText: pieces.vocabulary.tokens.joined(separator: "\n"))
    default: nil
    }
  }

  private static func digest(
    of encoder: DualEncoder,
    _ tokenizer: any Tokenizer,
    _ configuration: TokenizerConfiguration
  ) throws -> String {
    // Its name has no influence on vectors.
    var model = encoder.configuration
    model.name = ""
    var parts = [try text(File(model: model, tokenizer: configuration))]
    if let digest = self.digest(of: tokenizer) { parts.append(digest) }
    parts.append(try Digest.sha256(of: encoder.state()).model)
    return Digest.sha256(ofText: parts.joined(separator: "\n"))
  }
}
