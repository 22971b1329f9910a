internal import Foundation
public import SystemPackage

/// The tokens that a text encoder knows, each with its number: the lines of a `vocab.txt`.
public struct Vocabulary: Sendable, Hashable {
  /// The tokens, at their numbers.
  public let tokens: [String]
  /// What fills up the shorter texts of a batch.
  public let padding: Int
  /// What stands for a word that cannot be put together from tokens.
  public let unknown: Int
  /// What a text begins with.
  public let start: Int
  /// What a text ends with.
  public let end: Int
  /// By the tokens' bytes: texts that are the same to Unicode are not the same token.
  private let numbers: [[UInt8]: Int]

  /// A vocabulary of tokens, the special ones `[PAD]`, `[UNK]`, `[CLS]` and `[SEP]` among them.
  ///
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if one of these is missing, or a token is there
  ///   twice.
  public init(_ tokens: [String]) throws {
    var numbers: [[UInt8]: Int] = [:]
    numbers.reserveCapacity(tokens.count)
    for (number, token) in tokens.enumerated() {
      guard numbers.updateValue(number, forKey: Array(token.utf8)) == nil else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "the vocabulary has the token of line \(number + 1) twice"
        )
      }
    }
    func special(_ token: String) throws -> Int {
      guard let number = numbers[Array(token.utf8)] else {
        throw RetrievalError(code: .invalidArgument, message: "the vocabulary has no \(token)")
      }
      return number
    }
    padding = try special("[PAD]")
    unknown = try special("[UNK]")
    start = try special("[CLS]")
    end = try special("[SEP]")
    self.tokens = tokens
    self.numbers = numbers
  }

  /// Reads a `vocab.txt`: a token a line, the first has number 0.
  ///
  /// - Throws: ``RetrievalError``, naming the file, if it cannot be read, is not UTF-8, or as ``init(_:)``.
  public init(contentsOf path: FilePath) throws {
    guard let data = FileManager.default.contents(atPath: path.string) else {
      throw RetrievalError(code: .missingFile, message: "the vocabulary \(path) cannot be read")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw RetrievalError(code: .malformedFile, message: "the vocabulary \(path) is not UTF-8")
    }
    // As bytes: a mark at a line's beginning makes one character with the line's end before it.
    var lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
    if lines.last?.isEmpty == true { lines.removeLast() }
    do {
      try self.init(lines.map { String(Substring($0)) })
    } catch let error as RetrievalError {
      throw RetrievalError(code: .malformedFile, message: "\(path): \(error.message)")
    }
  }

  /// How many tokens there are.
  public var count: Int { tokens.count }

  /// The number of a token; `nil` if there is no such token.
  public subscript(token: String) -> Int? { numbers[Array(token.utf8)] }
}
