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
  private func map() throws -> LanguageMap {
    let languages = ["de", "nl", "sv", "it", "es", "ro", "pl", "cs", "bg", "mk", "sr"]
    let things = try Tensor.normal([80, 6], dtype: .float64, using: Generator(seed: 1))
    let vectors = try languages.enumerated().map { number, language in
      let family = LanguageFamily.allCases.firstIndex(
        of: try #require(LanguageFamily(of: language))
      )
      let own = try Tensor.normal(
        [80, 4],
        dtype: .float64,
        using: Generator(seed: UInt64(100 + (family ?? 0)))
      )
      let noise = try Tensor.normal(
        [80, 10],
        dtype: .float64,
        using: Generator(seed: UInt64(500 + number))
      )
      return try concatenate([things, own], along: 1) + noise * 0.4
    }
    return try LanguageMap(languages: languages, vectors: vectors, key: RandomKey(seed: 2))
  }

  @Test func familiesAreFoundAndShuffledThingsAreNot() throws {
    let map = try map()
    #expect(map.familyPurity(neighbours: 1) == 1)
    #expect(map.familyPurity(neighbours: 2) == 1)
    let within = try #require(map.similarity(of: ["de"], to: ["nl", "sv"]))
    let across = try #require(map.similarity(of: ["de"], to: ["it", "pl"]))
    #expect(within > across)
    #expect(across > map.shuffledSimilarity + 0.1)
    #expect(try #require(map.balkanIndex).isFinite)
    #expect(map.finnicSlavicIndex == nil)
    #expect(map.similarity(of: ["de"], to: ["de"]) == nil)
    #expect(try JSONDecoder().decode(LanguageMap.self, from: JSONEncoder().encode(map)) == map)
    #expect(try self.map() == map)
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
    #expect(LanguageFamily(of: "sw") == nil)
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
