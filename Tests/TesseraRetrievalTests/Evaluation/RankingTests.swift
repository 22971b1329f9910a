import Foundation
import TesseraCore
import TesseraRetrieval
import Testing

/// Where what belongs to a query stands.
@Suite struct RankingTests {
  @Test func theBestThatBelongsToTheQueryCounts() {
    let ranking = Ranking([0.1, 0.9, 0.5, 0.7], relevant: [2, 0])
    #expect(ranking.places == [3, 4])
    #expect(!ranking.isHit(within: 2))
    #expect(ranking.isHit(within: 3))
    #expect(ranking.meanRecall == 2.0 / 3)
  }

  @Test func tiesCountAgainstTheQuery() {
    #expect(Ranking([0.5, 0.5, 0.5], relevant: [1]).places == [3])
    #expect(Ranking([0.5, 0.5, 0.5], relevant: [0, 2]).places == [2, 3])
    #expect(Ranking([.nan, .nan], relevant: [0]).places == [2])
    #expect(Ranking([.nan, -1], relevant: [1]).places == [1])
  }

  @Test func aQueryWithoutAnythingIsNoHit() {
    let ranking = Ranking([0.5], relevant: [7])
    #expect(ranking.places.isEmpty)
    #expect(!ranking.isHit(within: 10))
    #expect(ranking.gainAtTen == 0)
  }

  /// The definition, term by term: 1 / log2(place + 1).
  @Test func gainIsThatOfTheFirstTen() {
    let ranking = Ranking((0..<20).map { Float(-$0) }, relevant: [1, 4, 12])
    let gain = 1 / log2(3.0) + 1 / log2(6.0)
    let best = 1 + 1 / log2(3.0) + 1 / log2(4.0)
    #expect(abs(ranking.gainAtTen - gain / best) < 1e-12)
    #expect(Ranking([3, 2, 1], relevant: [0]).gainAtTen == 1)
  }

  /// Every order of a few candidates, against counting.
  @Test func placesAreThoseOfASortedList() {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 3))
    for _ in 0..<300 {
      let values = (0..<9).map { _ in Float(Int.random(in: 0..<6, using: &numbers)) }
      let relevant = (0..<9).filter { _ in Bool.random(using: &numbers) }
      // Others of the same similarity come first.
      let order = values.indices.sorted {
        (values[$0], relevant.contains($0) ? 0 : 1) > (values[$1], relevant.contains($1) ? 0 : 1)
      }
      let places = order.indices.filter { relevant.contains(order[$0]) }.map { $0 + 1 }
      #expect(Ranking(values, relevant: relevant).places == places)
    }
  }
}

/// Many queries, some at a time.
@Suite struct BlockedRankingTests {
  /// Vectors of few whole numbers: many candidates are exactly as similar as one another, however products are rounded.
  private func rows(_ count: Int, _ seed: UInt64) throws -> Tensor {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: seed))
    return try Tensor(
      (0..<count * 3).map { _ in Float(Int.random(in: -1...1, using: &numbers)) },
      shape: [count, 3]
    )
  }

  @Test(arguments: [1, 2, 7, 36, 37, 38, 1000]) func blocksChangeNothing(_ block: Int) throws {
    let (queries, candidates) = (try rows(37, 1), try rows(23, 2))
    let relevant = (0..<37).map { query in (0..<23).filter { ($0 * 7 + query) % 5 == 0 } }
    let whole = try Ranking.all(queries.matmul(candidates.transposed()), relevant: relevant)
    #expect(Set(whole).count > 20)
    var told: [Int] = []
    let parts = try Ranking.all(
      of: queries,
      among: candidates,
      relevant: relevant,
      block: block
    ) { told.append($0) }
    #expect(parts == whole)
    #expect(told == Array(stride(from: 0, to: 37, by: block)))
  }

  @Test func whatProgressThrowsEndsIt() throws {
    struct Enough: Error {}
    #expect(throws: Enough.self) {
      try Ranking.all(
        of: rows(9, 1),
        among: rows(9, 2),
        relevant: (0..<9).map { [$0] },
        block: 2
      ) { if $0 > 3 { throw Enough() } }
    }
  }

  @Test func numbersThatDoNotFitAreAnError() throws {
    #expect(throws: RetrievalError.self) {
      try Ranking.all(of: rows(3, 1), among: rows(4, 2), relevant: [[0]])
    }
    #expect(throws: RetrievalError.self) {
      try Ranking.all(of: rows(1, 1), among: .ones([2, 4]), relevant: [[0]])
    }
    #expect(try Ranking.all(of: .zeros([0, 3]), among: rows(4, 2), relevant: []).isEmpty)
    #expect(
      try Ranking.all(of: rows(2, 1), among: .zeros([0, 3]), relevant: [[], []])
        .allSatisfy(\.places.isEmpty)
    )
  }
}

/// Scores of a language.
@Suite struct RetrievalScoreTests {
  private func rows(_ values: [[Double]]) throws -> Tensor {
    try Tensor(values.flatMap { $0 }, shape: [values.count, values[0].count]).to(.float32)
  }

  @Test func picturesAndTextsThatAgreeFindOneAnother() throws {
    let same = try Tensor.identity(12)
    let score = try RetrievalScore(
      pictures: same,
      texts: same,
      pictureSubjects: Array(0..<12),
      textSubjects: Array(0..<12),
      words: (0..<12).map { "word \($0)" }
    )
    #expect(score.meanRecall == 1)
    #expect(score.gainAtTen == 1)
    #expect(score.bySubject.count == 12)
  }

  @Test func aModelThatTellsNothingApartFindsNothing() throws {
    let score = try RetrievalScore(
      pictures: Tensor.ones([12, 4]),
      texts: Tensor.ones([12, 4]),
      pictureSubjects: Array(0..<12),
      textSubjects: Array(0..<12),
      words: (0..<12).map { "word \($0)" }
    )
    #expect(score.meanRecall == 0)
  }

  /// ‹bat› is an animal and a club: either picture is right.
  @Test func aWordBelongsToAllThatItNames() throws {
    let score = try RetrievalScore(
      pictures: rows([[1, 0], [0, 1]]),
      texts: rows([[0, 1], [0, 1]]),
      pictureSubjects: [5, 9],
      textSubjects: [5, 9],
      words: ["bat", "bat"]
    )
    #expect(score.textToPicture.at1 == 1)
    #expect(score.pictureToText.at1 == 1)
  }

  @Test func whatHasNoCounterpartAsksForNothing() throws {
    let score = try RetrievalScore(
      pictures: rows([[1, 0], [0, 1]]),
      texts: rows([[1, 0], [1, 0]]),
      pictureSubjects: [1, 2],
      textSubjects: [1, 3],
      words: ["one", "three"]
    )
    #expect(score.textToPicture.at1 == 1)
    #expect(score.bySubject.keys.sorted() == [1])
  }

  @Test func numbersThatDoNotFitAreAnError() {
    #expect(throws: RetrievalError.self) {
      try RetrievalScore(
        pictures: Tensor.ones([2, 2]),
        texts: Tensor.ones([2, 2]),
        pictureSubjects: [1],
        textSubjects: [1, 2],
        words: ["a", "b"]
      )
    }
  }
}

/// How sure a mean is.
@Suite struct BootstrapIntervalTests {
  @Test func anIntervalIsAsWideAsLanguagesAndThingsVary() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 5))
    func interval(_ languages: Int, _ value: (Int) -> Double) throws -> BootstrapInterval {
      let values = Dictionary(
        uniqueKeysWithValues: (0..<languages).map { language in
          (
            "l\(language)",
            Dictionary(uniqueKeysWithValues: (0..<50).map { ($0, value(language)) })
          )
        }
      )
      return try #require(BootstrapInterval(of: values, key: RandomKey(seed: 1)))
    }
    let same = try interval(9) { _ in 0.25 }
    #expect(same.mean == 0.25 && same.interval == 0.25...0.25)
    // Languages of 0 and 1 by turns: a mean of 16 has the deviation 1/8.
    let apart = try interval(16) { Double($0 % 2) }
    #expect(apart.mean == 0.5)
    #expect((0.15...0.35).contains(apart.interval.lowerBound))
    #expect((0.65...0.85).contains(apart.interval.upperBound))
    // Things by chance: narrower, as there are many of them.
    let things = try interval(16) { _ in Double.random(in: 0...1, using: &numbers) }
    #expect(things.interval.contains(things.mean))
    #expect(things.interval.upperBound - things.interval.lowerBound < 0.12)
  }

  @Test func languagesCountAlikeHoweverManyThingsTheyName() throws {
    let mean = BootstrapInterval(
      of: ["a": [0: 1, 1: 1, 2: 1], "b": [5: 0], "c": [:]],
      draws: 10,
      key: RandomKey(seed: 1)
    )
    #expect(mean?.mean == 0.5)
    #expect(BootstrapInterval(of: ["a": [:]], key: RandomKey(seed: 1)) == nil)
    #expect(BootstrapInterval(of: [:], key: RandomKey(seed: 1)) == nil)
  }
}

/// Languages' scripts.
@Suite struct LanguageScriptTests {
  @Test(arguments: [
    ("hi", "Devanagari"), ("am", "Ethiopic"), ("sw", "Latin"), ("sr", "Cyrillic"),
    ("sr_Latn", "Latin"), ("swh_Latn", "Latin"), ("uz_Cyrl", "Cyrillic"), ("pt_PT", "Latin"),
  ]) func scriptsAreThoseThatLanguagesAreWrittenIn(_ language: String, _ script: String) {
    #expect(LanguageScript.name(of: language) == script)
  }

  @Test func anUnknownLanguageHasNone() {
    #expect(LanguageScript.name(of: "und") == nil || LanguageScript.name(of: "und") == "Latin")
    #expect(LanguageScript.name(of: "qqq") == nil)
  }
}

/// Translations without pictures.
@Suite struct TranslationScoreTests {
  private func rows(_ values: [[Double]]) throws -> Tensor {
    try Tensor(values.flatMap { $0 }, shape: [values.count, values[0].count]).to(.float32)
      .normalizedRows()
  }

  @Test func textsThatSayTheSameAreFound() throws {
    let same = try Tensor.identity(8)
    let score = try TranslationScore(
      texts: same,
      subjects: (0..<8).map { [$0] },
      others: same,
      otherSubjects: (0..<8).map { [$0] }
    )
    #expect(score.precisionAtOne == 1 && score.reversePrecisionAtOne == 1)
    #expect(score.mining.f1 == 1 && score.texts == 8)
  }

  /// Three of four find theirs; the last two of the others have changed places.
  @Test func whatFindsSomethingElseDoesNotCount() throws {
    let score = try TranslationScore(
      texts: rows([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.1], [0, 0, 1, 0.2]]),
      subjects: [[0], [1], [2], [3]],
      others: rows([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
      otherSubjects: [[0], [1], [2], [3]]
    )
    #expect(score.precisionAtOne == 0.75)
    // The third of the others is nearest to the third, the fourth to the fourth.
    #expect(score.reversePrecisionAtOne == 1)
  }

  /// ‹bat› is an animal and a club: it is right for both, and what is not named on the other side is not asked for.
  @Test func aTextThatNamesTwoThingsIsRightForBoth() throws {
    let score = try TranslationScore(
      texts: rows([[1, 0], [0.9, 0.1], [0, 1]]),
      subjects: [[0], [1], [7]],
      others: rows([[1, 0], [0, 1]]),
      otherSubjects: [[0, 1], [5]]
    )
    #expect(score.texts == 2 && score.precisionAtOne == 1)
    #expect(score.reversePrecisionAtOne == 1)
  }

  @Test func aModelIsMeasuredLanguageByLanguage() throws {
    let captions = [
      ("en", "bear"), ("sw", "bear"), ("cy", "arth"), ("en", "tea"), ("sw", "tea"), ("cy", "te"),
    ].enumerated().map { number, text in
      Caption(language: text.0, concept: number / 3, kind: .name, text: text.1)
    }
    let dataset = try RetrievalDataset(
      description: DatasetDescription(
        name: "two",
        pictureSize: 1,
        languages: .init(wellResourced: ["en"], underResourced: ["cy", "sw", "zu"])
      ),
      concepts: [Concept(id: "bear", split: .test), Concept(id: "tea", split: .test)],
      pictures: [],
      pixels: .zeros([0, 3, 1, 1], dtype: .uint8),
      captions: captions
    )
    let track = RetrievalTrack(
      name: "all",
      concepts: [0, 1],
      pictures: [],
      languages: ["cy", "en", "sw", "zu"]
    )
    let scores = try TranslationScore.all(of: RetrievalModelTests.bag(), on: dataset, track)
    #expect(scores.keys.sorted() == ["cy", "sw"])
    // The same word is the same vector.
    #expect(scores["sw"]?.precisionAtOne == 1)
    #expect(
      try TranslationScore.all(of: RetrievalModelTests.bag(), on: dataset, track, pivot: "zu")
        .isEmpty
    )
  }
}

/// How sure a difference is.
@Suite struct PairedBootstrapTests {
  private func system(_ value: (Int, Int) -> Double) -> [String: [Int: Double]] {
    Dictionary(
      uniqueKeysWithValues: (0..<12).map { language in
        (
          "l\(language)",
          Dictionary(uniqueKeysWithValues: (0..<40).map { ($0, value(language, $0)) })
        )
      }
    )
  }

  @Test func aDifferenceThatIsTheSameEverywhereIsCertain() throws {
    let bootstrap = try #require(
      PairedBootstrap(
        from: system { Double($0 + $1) },
        to: system { Double($0 + $1) + 0.25 },
        key: RandomKey(seed: 1)
      )
    )
    #expect(abs(bootstrap.difference - 0.25) < 1e-9)
    #expect(abs(bootstrap.interval.lowerBound - 0.25) < 1e-9)
    #expect(abs(bootstrap.interval.upperBound - 0.25) < 1e-9)
  }

  @Test func chanceGivesAnIntervalAroundZeroAndTheSameKeyTheSame() throws {
    var numbers = KeyedRandomNumbers(key: RandomKey(seed: 5))
    let one = system { _, _ in Double.random(in: 0...1, using: &numbers) }
    let other = system { _, _ in Double.random(in: 0...1, using: &numbers) }
    let bootstrap = try #require(PairedBootstrap(from: one, to: other, key: RandomKey(seed: 1)))
    #expect(bootstrap.interval.contains(0))
    #expect(bootstrap.interval.contains(bootstrap.difference))
    // Of 480 differences of deviation 0.41: some 0.02, so that 95 % lie within about 0.04.
    let width = bootstrap.interval.upperBound - bootstrap.interval.lowerBound
    #expect((0.04...0.16).contains(width))
    #expect(bootstrap == PairedBootstrap(from: one, to: other, key: RandomKey(seed: 1)))
  }

  @Test func systemsWithoutAnythingInCommonHaveNoDifference() {
    #expect(PairedBootstrap(from: ["a": [1: 1]], to: ["b": [1: 1]], key: RandomKey(seed: 1)) == nil)
    #expect(PairedBootstrap(from: ["a": [1: 1]], to: ["a": [2: 1]], key: RandomKey(seed: 1)) == nil)
  }
}
