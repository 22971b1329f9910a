import TesseraRetrieval
import Testing

/// Texts as sets of n-grams.
@Suite struct CharacterNGramsTests {
  @Test func aWordIsItselfAndItsNGrams() {
    let grams = CharacterNGrams(buckets: 1 << 20)
    // The word, and of ‹cat› with its two marks 4 of two, 3 of three and 2 of four characters.
    #expect(grams.tokens(of: "cat").count == 1 + 4 + 3 + 2)
    #expect(Set(grams.tokens(of: "cat")).count == 10)
    #expect(grams.tokens(of: "cat cat") == grams.tokens(of: "cat") + grams.tokens(of: "cat"))
    #expect(grams.tokens(of: "CAT") == grams.tokens(of: "cat"))
  }

  @Test func wordsShareWhatTheyHaveInCommon() {
    let grams = CharacterNGrams(buckets: 1 << 20)
    let (one, many) = (Set(grams.tokens(of: "кот")), Set(grams.tokens(of: "коты")))
    #expect(!one.isDisjoint(with: many))
    #expect(one.isDisjoint(with: grams.tokens(of: "samovar")))
    // A whole word is not the same as an n-gram of its characters.
    #expect(!Set(grams.tokens(of: "ab")).isSubset(of: grams.tokens(of: "abab")))
  }

  @Test(arguments: ["", "   ", "\u{200D}"]) func aTextWithoutWordsIsNone(text: String) {
    let grams = CharacterNGrams(buckets: 7)
    #expect(grams.tokens(of: text) == [grams.padding])
  }

  @Test func numbersLieInTheTableAndStayWithinTheLimit() {
    let grams = CharacterNGrams(buckets: 7)
    let tokens = grams.tokens(of: "samovar 日本語 הללויה ความรัก")
    #expect(tokens.allSatisfy { (1...7).contains($0) })
    #expect(grams.count == 8)
    #expect(grams.tokens(of: "samovar samovar samovar", atMost: 5) == Array(tokens.prefix(5)))
  }

  @Test func numbersAreTheSameOnEveryMachine() {
    // By FNV-1a, worked out apart.
    #expect(CharacterNGrams().tokens(of: "ok") == [20796, 24334, 3467, 20257, 17901, 18928, 1345])
    #expect(CharacterNGrams().tokens(of: "日") == [21859, 3574, 8163, 6803])
  }

  /// What comes after what can matter is not looked at: a text of 200 MB takes no longer than its beginning.
  @Test func aLongTextIsCutBeforeItIsRead() {
    let grams = CharacterNGrams(buckets: 1000)
    let page = String(repeating: "a samovar на столе ", count: 600)
    let batch = grams.batch([page + String(repeating: "tea ", count: 5), "tea"], atMost: 64)
    #expect(batch.rows == [grams.tokens(of: page, atMost: 64), grams.tokens(of: "tea")])
    let book = String(repeating: "x", count: 200_000_000)
    let beginning = String(repeating: "x", count: CharacterNGrams.longest(atMost: 64))
    let started = ContinuousClock.now
    let tokens = grams.batch([book], atMost: 64).rows
    #expect(ContinuousClock.now - started < .seconds(5))
    #expect(tokens == [grams.tokens(of: beginning, atMost: 64)])
    #expect(CharacterNGrams.longest(atMost: .max) == .max)
    #expect(CharacterNGrams.longest(atMost: 2) == 1024)
  }
}
