public import TesseraCore

/// What a model is trained on: pictures with texts, and texts with their translations.
public struct RetrievalExamples: Sendable {
  /// The pictures, `[pictures, 3, height, width]`, `uint8`.
  public let pixels: Tensor
  /// For each picture what it shows, under any number: pictures of one thing are no negatives of one another.
  public let subjects: [Int]
  /// For each picture the texts that it goes with, by their places in ``texts``; a picture without any is never drawn.
  public let captions: [[Int]]
  /// Texts, each once.
  public let texts: [String]
  /// Pairs of texts that mean the same, in groups: one for each pair of languages.
  public let translations: [[Translation]]

  /// Two texts that mean the same, by their places in ``texts``.
  public struct Translation: Sendable, Hashable {
    /// One of them.
    public var left: Int
    /// The other.
    public var right: Int

    /// A pair.
    public init(left: Int, right: Int) {
      self.left = left
      self.right = right
    }
  }

  /// Examples.
  ///
  /// - Parameters:
  ///   - pixels: `[pictures, 3, height, width]`, `uint8`.
  ///   - subjects: What each picture shows.
  ///   - captions: The texts of each picture.
  ///   - texts: Texts, each once.
  ///   - translations: Pairs of texts, in groups; empty groups are left out.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public init(
    pixels: Tensor,
    subjects: [Int],
    captions: [[Int]],
    texts: [String],
    translations: [[Translation]]
  ) throws {
    guard pixels.rank == 4, pixels.shape[1] == 3, pixels.dtype == .uint8,
      pixels.shape[0] == subjects.count, subjects.count == captions.count
    else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          pictures are [pictures, 3, height, width] of uint8 with a subject and captions each, not \
          \(pixels.shape) of \(pixels.dtype) with \(subjects.count) and \(captions.count)
          """
      )
    }
    let places = texts.indices
    guard captions.allSatisfy({ $0.allSatisfy(places.contains) }),
      translations.allSatisfy({
        $0.allSatisfy { places.contains($0.left) && places.contains($0.right) }
      })
    else {
      throw RetrievalError(code: .invalidArgument, message: "a pair names a text that is not there")
    }
    guard captions.contains(where: { !$0.isEmpty }) else {
      throw RetrievalError(code: .invalidArgument, message: "no picture has a text")
    }
    self.pixels = pixels
    self.subjects = subjects
    self.captions = captions
    self.texts = texts
    self.translations = translations.filter { !$0.isEmpty }
  }
}
