import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraTesting
import Testing

/// Pieces that are learnt from texts.
@Suite struct SentencePieceTests {
  private static let texts: [String] = {
    let words = [
      "bear", "bears", "samovar", "самовар", "медведь", "медведи", "熊", "茶", "お茶", "ลิงแสม", "ድብ",
      "भालू", "chá", "thé", "tea", "teapot", "pot",
    ]
    return (0..<400).map { number in
      (0..<4).map { words[(number * 7 + $0 * $0 * 3) % words.count] }.joined(separator: " ")
    }
  }()

  @Test func piecesPutTheirTextTogetherAgainInEveryScript() throws {
    let tokenizer = try SentencePiece.trained(on: Self.texts, pieces: 120, coverage: 1)
    #expect((20...120).contains(tokenizer.count))
    #expect(
      [tokenizer.padding, tokenizer.unknown, tokenizer.start, tokenizer.end] == [0, 1, 2, 3]
    )
    for text in Self.texts.prefix(20) {
      let pieces = tokenizer.pieces(of: text)
      #expect(!pieces.isEmpty)
      #expect(pieces.allSatisfy { (4..<tokenizer.count).contains($0) })
    }
    // What occurs often is a piece.
    #expect(tokenizer.pieces(of: "samovar").count < 7)
    #expect(tokenizer.pieces(of: "SAMOVAR") == tokenizer.pieces(of: "samovar"))
    #expect(tokenizer.pieces(of: "🦖").contains(tokenizer.unknown))
    #expect(tokenizer.pieces(of: "") == [])
    #expect(tokenizer.tokens(of: "") == [2, 3])
  }

  @Test func theSameTextsGiveTheSameAndAFileKeepsIt() throws {
    let tokenizer = try SentencePiece.trained(on: Self.texts, pieces: 90)
    #expect(try SentencePiece.trained(on: Self.texts, pieces: 90).bytes == tokenizer.bytes)
    let folder = try TemporaryFolder()
    let file = folder.path.appending("tokenizer.model")
    try tokenizer.write(to: file)
    let again = try SentencePiece(contentsOf: file)
    for text in Self.texts { #expect(again.pieces(of: text) == tokenizer.pieces(of: text)) }
  }

  @Test func whatIsNoModelIsAnErrorThatNamesTheFile() throws {
    let folder = try TemporaryFolder()
    for bytes in [[], [0], Array("no model".utf8)] as [[UInt8]] {
      let file = try folder.file("x.model", bytes)
      let error = #expect(throws: RetrievalError.self) { try SentencePiece(contentsOf: file) }
      #expect(error?.message.contains("x.model") == true)
    }
    #expect(throws: RetrievalError.self) {
      try SentencePiece(contentsOf: folder.path.appending("none.model"))
    }
    #expect(throws: RetrievalError.self) { try SentencePiece.trained(on: [], pieces: 100) }
    #expect(throws: RetrievalError.self) { try SentencePiece.trained(on: ["a"], pieces: 1) }
  }
}
