import Foundation
import SystemPackage
import TesseraCore
import TesseraRetrieval
import TesseraRun
import TesseraTesting
import Testing

/// How alike languages are, and their map.
@Suite struct LanguageMapTests {
  private let golden: SafeTensors

  init() throws {
    golden = try SafeTensors(contentsOf: MiniLM.fixtures.appending("language_map.safetensors"))
  }

  @Test func correlationsAreThoseOfTheReference() throws {
    let x = try CanonicalCorrelation(golden.tensor("x"))
    let y = try CanonicalCorrelation(golden.tensor("y"))
    let expected = try golden.tensor("svcca").reshaped(to: []).item()
    #expect(abs(try x.mean(with: y) - expected) < 1e-9)
    #expect(abs(try y.mean(with: x) - expected) < 1e-9)
    #expect(abs(try x.mean(with: x) - 1) < 1e-9)
  }

  /// What other axes, scales and origins of a representation do not change.
  @Test func correlationsDoNotDependOnAxes() throws {
    let (x, y) = (try golden.tensor("x"), try golden.tensor("y"))
    let (turn, _) = try Tensor.normal([12, 12], dtype: .float64, using: Generator(seed: 3)).qr()
    let turned = try x.matmul(turn) * 7 + 3
    #expect(
      abs(
        try CanonicalCorrelation(turned).mean(with: CanonicalCorrelation(y))
          - CanonicalCorrelation(x).mean(with: CanonicalCorrelation(y))
      ) < 1e-9
    )
  }

  @Test func placesAreThoseOfTheReferenceUpToTheirSigns() throws {
    let affinity = try golden.tensor("affinity")
    let count = affinity.shape[0]
    let values = try affinity.array(of: Double.self)
    let places = try SpectralEmbedding.places(
      (0..<count).map { Array(values[$0 * count..<($0 + 1) * count]) }
    )
    let expected = try golden.tensor("places")
    for (axis, own) in [places.map(\.x), places.map(\.y)].enumerated() {
      let other = try expected.slice(at: axis, along: 1).array(of: Double.self)
      // Eigenvectors have no length and no sign of their own.
      func unit(_ values: [Double]) -> [Double] {
        let strongest = values.max { abs($0) < abs($1) } ?? 1
        return values.map { $0 / strongest }
      }
      for (a, b) in zip(unit(own), unit(other)) { #expect(abs(a - b) < 1e-6) }
    }
  }

  /// Three families, each language a noisy view of its family's own view of the things.
  ///
  /// Some borrow from another family, by some strength; random ones share nothing.
  private func map(
    borrowing: [String: (family: LanguageFamily, strength: Double)] = [:],
    isRandom: Bool = false,
    shuffles: Int = 39
  ) throws -> LanguageMap {
    let languages = [
      "de", "nl", "sv", "it", "es", "ro", "pl", "cs", "bg", "mk", "sr", "et", "fi",
    ]
    func normal(_ width: Int, _ seed: Int) throws -> Tensor {
      try .normal([80, width], dtype: .float64, using: Generator(seed: UInt64(seed)))
    }
    func view(_ family: LanguageFamily) throws -> Tensor {
      try normal(4, 100 + (LanguageFamily.allCases.firstIndex(of: family) ?? 0))
    }
    let things = try normal(6, 1)
    let vectors = try languages.enumerated().map { number, language in
      let noise = try normal(14, 500 + number)
      guard !isRandom else { return noise }
      let borrowed =
        if let (family, strength) = borrowing[language] { try view(family) * strength } else {
          try normal(4, 900 + number) * 0.4
        }
      let own = try view(try #require(LanguageFamily(of: language)))
      return try concatenate([things, own, borrowed], along: 1) + noise * 0.4
    }
    return try LanguageMap(
      languages: languages,
      vectors: vectors,
      shuffles: shuffles,
      key: RandomKey(seed: 2)
    )
  }

  @Test func familiesAreFoundAndShuffledThingsAreNot() throws {
    let map = try map()
    #expect(map.familyPurity(neighbours: 1) == 1)
    let within = try #require(map.similarity(of: ["de"], to: ["nl", "sv"]))
    let across = try #require(map.similarity(of: ["de"], to: ["it", "pl"]))
    #expect(within > across)
    #expect(across > map.shuffledSimilarity + 0.1)
    #expect(map.similarity(of: ["de"], to: ["de"]) == nil)
    let purity = try #require(map.tests.nearestPurity)
    #expect(purity.value == 1 && purity.p == 1.0 / 40)
    #expect(purity.shuffled.count == 39)
    #expect(purity.interval.upperBound < 0.8 && purity.interval.lowerBound < 0.4)
    #expect(try JSONDecoder().decode(LanguageMap.self, from: JSONEncoder().encode(map)) == map)
    #expect(try self.map() == map)
  }

  /// Romanian borrows from Slavic, or Italian does; Estonian and Finnish from Slavic, or from Germanic.
  @Test func indicesAreThoseOfTheLanguagesThatBorrow() throws {
    let balkan = try map(borrowing: [
      "ro": (.slavic, 1), "et": (.slavic, 1), "fi": (.slavic, 1),
    ])
    let other = try map(borrowing: [
      "it": (.slavic, 1), "et": (.germanic, 1), "fi": (.germanic, 1),
    ])
    for (map, sign) in [(balkan, 1.0), (other, -1.0)] {
      for test in [map.tests.balkanIndex, map.tests.finnicSlavicIndex] {
        let test = try #require(test)
        #expect(test.value * sign > 0.05)
        #expect(test.p == 1.0 / 40)
        #expect(!test.interval.contains(test.value))
        #expect(test.interval.contains(0))
      }
    }
    // Each is the difference of the similarities that it is said to be.
    let slavic = ["bg", "mk", "sr"]
    let similarity = try ["ro", "it"].map {
      try #require(balkan.similarity(of: [$0], to: slavic))
    }
    #expect(balkan.balkanIndex == similarity[0] - similarity[1])
    #expect(balkan.tests.balkanIndex?.value == balkan.balkanIndex)
    // Polish is no language of the Balkan; to borrow from it alone would not count. Without the languages there is no index.
    let few = try LanguageMap(
      languages: ["ro", "bg", "et"],
      vectors: (0..<3).map { try .normal([20, 4], using: Generator(seed: $0)) },
      shuffles: 3,
      key: RandomKey(seed: 1)
    )
    #expect(few.balkanIndex == nil && few.tests.balkanIndex == nil)
    #expect(few.finnicSlavicIndex == nil && few.tests.finnicSlavicIndex == nil)
  }

  @Test func whatIsRandomIsNotFound() throws {
    let tests = try map(isRandom: true).tests
    for test in [
      tests.balkanIndex, tests.finnicSlavicIndex, tests.nearestPurity, tests.nearestThreePurity,
    ] {
      let test = try #require(test)
      #expect(test.p > 0.05)
      #expect(test.interval.contains(test.value))
    }
  }

  @Test func twoMapsAreCompared() throws {
    let plain = try map()
    let balkan = try map(borrowing: ["ro": (.slavic, 1)])
    let comparison = try LanguageMapComparison(from: plain, to: balkan)
    let difference = try #require(comparison.differences.balkanIndex)
    let (one, other) = (try #require(plain.balkanIndex), try #require(balkan.balkanIndex))
    #expect(difference.value == other - one)
    #expect(difference.value > 0.05 && difference.p == 1.0 / 40)
    #expect(try #require(comparison.differences.nearestPurity).p > 0.05)
    #expect(comparison.agreement > 0.8 && comparison.agreement < 1)
    #expect(try LanguageMapComparison(from: plain, to: plain).agreement > 0.999999)
    let text = LanguageMap.rows(of: [plain.tests, balkan.tests, comparison.differences])
    #expect(text.map(\.count) == [4, 4, 4, 4])
    #expect(text[2][0] == "Balkan index" && text[2][3].hasSuffix("p 0.025)"))
    let fewer = try LanguageMap(
      languages: ["a", "b", "c"],
      vectors: (0..<3).map { try .normal([20, 4], using: Generator(seed: $0)) },
      shuffles: 0,
      key: RandomKey(seed: 1)
    )
    #expect(fewer.shuffledSimilarity == 0 && fewer.tests == LanguageMap.Tests())
    #expect(LanguageMap.rows(of: [fewer.tests]).allSatisfy { $0[1] == "–" })
    #expect(throws: RetrievalError.self) { try LanguageMapComparison(from: plain, to: fewer) }
  }

  @Test func aTestCountsWhatIsAsExtreme() throws {
    let draws = [1.0, 2, 3, 4]
    #expect(PermutationTest(4, shuffled: draws, alternative: .greater)?.p == 2.0 / 5)
    #expect(PermutationTest(0, shuffled: draws, alternative: .greater)?.p == 1)
    #expect(PermutationTest(5, shuffled: draws, alternative: .different)?.p == 1.0 / 5)
    #expect(PermutationTest(1, shuffled: draws, alternative: .different)?.p == 3.0 / 5)
    #expect(PermutationTest(1, shuffled: [], alternative: .greater) == nil)
    let wide = (0..<100).map(Double.init)
    #expect(PermutationTest(1, shuffled: wide, alternative: .greater)?.interval == 2...97)
  }

  /// Names of concepts that are held out were never learned in most languages.
  @Test func theThingsAreThoseToTrainOn() throws {
    let concepts = (0..<40).map { Concept(id: "\($0)", split: $0 < 25 ? .train : .test) }
    let languages = ["fr", "cy", "sw"]
    func dataset(_ concepts: [Concept]) throws -> RetrievalDataset {
      try RetrievalDataset(
        description: DatasetDescription(
          name: "numbers",
          pictureSize: 1,
          languages: .init(underResourced: languages)
        ),
        concepts: concepts,
        pictures: [],
        pixels: .zeros([0, 3, 1, 1], dtype: .uint8),
        captions: languages.flatMap { language in
          concepts.indices.map {
            Caption(language: language, concept: $0, kind: .name, text: "\(language)\($0)")
          }
        }
      )
    }
    let model = try RetrievalModelTests.bag()
    func things(
      _ concepts: [Concept],
      _ splits: Set<DatasetSplit>? = nil
    ) throws -> Int {
      try LanguageMap(
        of: model,
        on: dataset(concepts),
        languages: languages,
        ofConceptsIn: splits,
        shuffles: 2
      ).things
    }
    #expect(try things(concepts) == 25)
    #expect(try things(concepts, [.train, .test]) == 40)
    #expect(try things(concepts, [.test]) == 15)
    #expect(try things(concepts.map { Concept(id: $0.id, split: .test) }) == 40)
    #expect(throws: RetrievalError.self) { try things(Array(concepts.prefix(9))) }
    #expect(throws: CancellationError.self) {
      try LanguageMap(of: model, on: dataset(concepts), languages: languages) { done, of in
        #expect(of == 102)
        if done == 50 { throw CancellationError() }
      }
    }
  }

  @Test func thePlotNamesAllLanguages() throws {
    let svg = try map().plot().svg
    for language in ["de", "ro", "mk"] { #expect(svg.contains(">\(language)</text>")) }
    for family in ["Germanic", "Romance", "Slavic"] { #expect(svg.contains(family)) }
    #expect(!svg.contains("Celtic"))
    #expect(!svg.contains("nan"))
  }

  @Test func thirtyFiveLanguagesHaveAFamilyEach() {
    #expect(LanguageFamily.allLanguages.count == 35)
    #expect(Set(LanguageFamily.allLanguages).count == LanguageFamily.allLanguages.count)
    #expect(LanguageFamily(of: "ga") == .celtic)
    let all = LanguageFamily.allCases.flatMap(\.languages)
    #expect(Set(all).count == all.count)
    #expect(LanguageFamily(of: "sw") == .atlanticCongo)
    #expect(LanguageFamily(of: "eu") == nil)
  }

  @Test func whatCannotBeMappedIsAnError() throws {
    #expect(throws: RetrievalError.self) { try CanonicalCorrelation(.ones([1, 3])) }
    let few = try CanonicalCorrelation(.normal([5, 3], using: Generator(seed: 1)))
    let many = try CanonicalCorrelation(.normal([6, 3], using: Generator(seed: 1)))
    #expect(throws: RetrievalError.self) { try few.mean(with: many) }
    #expect(throws: RetrievalError.self) { try SpectralEmbedding.places([[1, 0], [0, 1]]) }
    #expect(throws: RetrievalError.self) {
      try SpectralEmbedding.places([[1, 0, 1], [0, 1, .nan], [1, 1, 1]])
    }
    // Without any variance there is still an answer.
    let flat = try CanonicalCorrelation(.ones([5, 3]))
    #expect(try flat.mean(with: few).isFinite)
  }
}
