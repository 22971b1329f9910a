internal import Foundation
public import SystemPackage

/// Which tokenizer a model has, as its `model.json` says it.
public enum TokenizerConfiguration: Sendable, Hashable, Codable {
  /// ``CharacterNGrams``.
  case characterNGrams(buckets: Int, shortest: Int, longest: Int)
  /// ``WordPiece``, with the `vocab.txt` beside it.
  case wordPiece(TextCleaning)
  /// ``SentencePiece``, with the `tokenizer.model` beside it.
  case sentencePiece

  /// Reads the tokenizer.
  ///
  /// - Parameter folder: Where its files lie.
  /// - Returns: The tokenizer.
  /// - Throws: ``RetrievalError``, naming the file, if one cannot be read.
  public func tokenizer(in folder: FilePath) throws -> any Tokenizer {
    switch self {
    case .characterNGrams(let buckets, let shortest, let longest):
      guard (1...1 << 26).contains(buckets), (1...16).contains(longest), shortest >= 1,
        shortest <= longest
      else {
        throw RetrievalError(
          code: .invalidArgument,
          message: "n-grams of \(shortest) to \(longest) characters in \(buckets) buckets cannot be"
        )
      }
      return CharacterNGrams(buckets: buckets, lengths: shortest...longest)
    case .wordPiece(let cleaning):
      return try WordPiece(contentsOf: folder.appending(Self.vocabularyFile), cleaning: cleaning)
    case .sentencePiece:
      return try SentencePiece(contentsOf: folder.appending(Self.sentencePieceFile))
    }
  }

  /// The file of its own that it reads; `nil` if it needs none.
  var file: String? {
    switch self {
    case .characterNGrams: nil
    case .wordPiece: Self.vocabularyFile
    case .sentencePiece: Self.sentencePieceFile
    }
  }

  /// The name of a vocabulary in a model's folder.
  public static let vocabularyFile = "vocab.txt"
  /// The name of a SentencePiece model in a model's folder.
  public static let sentencePieceFile = "tokenizer.model"
}
