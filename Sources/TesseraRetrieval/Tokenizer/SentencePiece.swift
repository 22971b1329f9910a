internal import CSentencePiece
internal import Foundation
public import SystemPackage
internal import TesseraCore

/// SentencePiece: a text is cut into the pieces that are together most probable (Kudo, 2018; Kudo and Richardson, 2018), by Google's own
/// library.
///
/// It needs no words to begin with, and so serves languages that have no spaces.
///
///     let tokenizer = try SentencePiece.trained(on: captions, pieces: 16_000)
///     try tokenizer.write(to: "tokenizer.model")
public struct SentencePiece: SubwordTokenizer {
  /// The model, as SentencePiece writes it.
  public let bytes: [UInt8]
  /// How many pieces there are.
  public let count: Int
  /// The piece that fills up the shorter texts of a batch.
  public let padding: Int
  /// The piece for what no others fit.
  public let unknown: Int
  /// The piece that a text begins with.
  public let start: Int
  /// The piece that a text ends with.
  public let end: Int
  private let model: Model

  /// A model of these bytes.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/malformedFile`` if they are no model, or one without pieces for a text's
  ///   beginning and end.
  public init(_ bytes: [UInt8]) throws {
    model = try Model(bytes)
    self.bytes = bytes
    count = Int(csentencepiece_count(model.pointer))
    var special: [Int32] = [-1, -1, -1, -1]
    csentencepiece_special(model.pointer, &special)
    guard special[1] >= 0, special[2] >= 0, special[3] >= 0 else {
      throw RetrievalError(
        code: .malformedFile,
        message: "the SentencePiece model has no pieces for the unknown, the beginning and the end"
      )
    }
    // Models without one mask what fills up, whatever it is.
    padding = special[0] >= 0 ? Int(special[0]) : Int(special[1])
    unknown = Int(special[1])
    start = Int(special[2])
    end = Int(special[3])
  }

  /// Reads a `.model` file.
  ///
  /// - Throws: ``RetrievalError``, naming the file, if it cannot be read, or as ``init(_:)``.
  public init(contentsOf path: FilePath) throws {
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(
        code: .missingFile,
        message: "the SentencePiece model \(path) cannot be read"
      )
    }
    do {
      try self.init(Array(data))
    } catch let error as RetrievalError {
      throw RetrievalError(code: error.code, message: "\(path): \(error.message)")
    }
  }

  /// Writes a `.model` file, all of it or nothing.
  ///
  /// - Throws: `TensorError` if the system refuses.
  public func write(to path: FilePath) throws {
    try AtomicFile.write(to: path) { file in try bytes.withUnsafeBytes { try file.write($0) } }
  }

  /// The numbers of a text's pieces.
  public func pieces(of text: String) -> [Int] {
    let utf8 = Array(text.utf8)
    // Never more pieces than bytes, and the mark of the beginning.
    var numbers = [Int32](repeating: 0, count: utf8.count + 8)
    var found = 0
    let code = csentencepiece_encode(
      model.pointer,
      utf8,
      utf8.count,
      &numbers,
      numbers.count,
      &found
    )
    guard code == CSENTENCEPIECE_OK else { return utf8.isEmpty ? [] : [unknown] }
    return numbers.prefix(min(found, numbers.count)).map(Int.init)
  }

  /// Learns pieces from texts.
  ///
  /// - Parameters:
  ///   - texts: Any number of texts in any languages; those of more than 4,192 bytes are left out.
  ///   - pieces: How many pieces to learn; fewer if the texts do not give so many.
  ///   - coverage: The share of all characters that get pieces, the frequent ones first; the rest is unknown.
  /// - Returns: The tokenizer. The same texts give the same.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if there is no text or the numbers cannot be.
  public static func trained(
    on texts: [String],
    pieces: Int,
    coverage: Double = 0.9998
  ) throws -> SentencePiece {
    guard (8...10_000_000).contains(pieces), (0.9...1).contains(coverage) else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "\(pieces) pieces with a coverage of \(coverage) cannot be learnt"
      )
    }
    let reading = Reading(texts)
    let code = csentencepiece_train(
      { context, text in
        let reading = Unmanaged<Reading>.fromOpaque(context).takeUnretainedValue()
        return reading.next(text)
      },
      // Borrowed for this call, which keeps it alive.
      Unmanaged.passUnretained(reading).toOpaque(),
      Int32(pieces),
      coverage,
      { context, bytes, count in
        let reading = Unmanaged<Reading>.fromOpaque(context).takeUnretainedValue()
        reading.result = Array(UnsafeBufferPointer(start: bytes, count: count))
      }
    )
    try withExtendedLifetime(reading) {
      guard code == CSENTENCEPIECE_OK else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "SentencePiece cannot learn from these texts: \(Model.lastMessage)"
        )
      }
    }
    return try SentencePiece(reading.result)
  }

  /// Texts on their way to SentencePiece, and the model on its way back.
  private final class Reading {
    private let texts: [String]
    private var position = 0
    private var current: [UInt8] = []
    private let memory: UnsafeMutableBufferPointer<UInt8>
    var result: [UInt8] = []

    static let longest = 4192

    init(_ texts: [String]) {
      self.texts = texts
      // What is handed over must stay where it is until the next text is asked for.
      memory = .allocate(capacity: Self.longest)
    }

    deinit { memory.deallocate() }

    func next(_ text: UnsafeMutablePointer<UnsafePointer<UInt8>?>) -> Int {
      while position < texts.count {
        defer { position += 1 }
        let utf8 = texts[position].utf8
        guard !utf8.isEmpty, utf8.count <= Self.longest else { continue }
        let (_, count) = memory.update(from: utf8)
        text.pointee = UnsafePointer(memory.baseAddress)
        return count
      }
      return -1
    }
  }

  // @unchecked Sendable: the library only reads a model once it is loaded.
  private final class Model: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ bytes: [UInt8]) throws {
      var made: OpaquePointer?
      let code = csentencepiece_load(bytes, bytes.count, &made)
      guard code == CSENTENCEPIECE_OK, let made else {
        throw RetrievalError(
          code: .malformedFile,
          message: "these bytes are no SentencePiece model"
        )
      }
      pointer = made
    }

    deinit { csentencepiece_release(pointer) }

    static var lastMessage: String { String(cString: csentencepiece_last_message()) }
  }
}
