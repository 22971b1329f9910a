import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraTesting
import Testing

/// WordPiece against Hugging Face's tokenizers, with the vocabulary of MiniLM.
@Suite struct WordPieceTests {
  private struct Case: Decodable {
    var text: String
    var tokens: [Int]
  }

  @Test func textsInManyScriptsBecomeTheSameTokens() throws {
    let tokenizer = try WordPiece(contentsOf: MiniLM.folder().appending("vocab.txt"))
    #expect(tokenizer.vocabulary.count == 30_522)
    let file = MiniLM.fixtures.appending("wordpiece.json")
    let data = try #require(FileManager.default.contents(atPath: file.string))
    let cases = try JSONDecoder().decode([Case].self, from: data)
    #expect(cases.count > 400)
    for each in cases {
      #expect(tokenizer.tokens(of: each.text) == each.tokens, "\(each.text.debugDescription)")
    }
  }

  private func vocabulary(_ words: String...) throws -> Vocabulary {
    try Vocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + words)
  }

  @Test func theLongestPiecesAreTakenFromLeftToRight() throws {
    let tokenizer = WordPiece(try vocabulary("ab", "abc", "##c", "##cd", "##d", "日", "##é"))
    #expect(tokenizer.pieces(of: "abcd") == [5, 8])
    #expect(tokenizer.pieces(of: "abc ab") == [5, 4])
    #expect(tokenizer.pieces(of: "abx") == [1])
    #expect(tokenizer.pieces(of: "日日") == [9, 9])
    let cased = WordPiece(
      try vocabulary("a", "##é"),
      cleaning: TextCleaning(lowercases: false, stripsAccents: false)
    )
    #expect(cased.pieces(of: "aé") == [4, 5])
    #expect(cased.pieces(of: "AÉ") == [1])
  }

  @Test func aBatchIsAsLongAsItsLongestText() throws {
    let tokenizer = WordPiece(try vocabulary("a", "b"))
    let (tokens, mask) = try tokenizer.batch(["a b a", "b", ""], atMost: 4).padded()
    #expect(tokens.shape == [3, 4])
    #expect(try tokens.array(of: Int64.self) == [2, 4, 5, 3, 2, 5, 3, 0, 2, 3, 0, 0])
    #expect(
      try mask.to(.int64).array(of: Int64.self) == [1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0]
    )
    #expect(tokenizer.tokens(of: "a b", atMost: 0) == [2, 3])
  }

  @Test func aVocabularyThatIsWrongIsAnErrorThatNamesIt() throws {
    let folder = try TemporaryFolder()
    func message(_ bytes: [UInt8]) throws -> String {
      let path = try folder.file("vocab.txt", bytes)
      do { _ = try Vocabulary(contentsOf: path) } catch { return "\(error)" }
      return ""
    }
    #expect(
      try message(Array("[PAD]\n[UNK]\n[CLS]\n".utf8)).hasSuffix("the vocabulary has no [SEP]")
    )
    let twice = try message(Array("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\na\r\n".utf8))
    #expect(twice.contains("vocab.txt") && twice.hasSuffix("the token of line 6 twice"))
    #expect(try message([0xFF, 0x0A]).hasSuffix("is not UTF-8"))
    #expect(throws: RetrievalError.self) { try Vocabulary(contentsOf: "/nowhere/vocab.txt") }
  }
}
