public import TesseraCore

/// What a model is trained on: pictures with texts, and texts with their translations.
public struct RetrievalExamples: Sendable {
  /// Pictures, `[pictures, 3, height, width]`, `uint8`; those that are trained on may be some of them.
  public let pixels: Tensor
  /// For each picture that is trained on its place in ``pixels``.
  public let places: [Int]
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
  ///   - places: Which of them are trained on; all if `nil`.
  ///   - subjects: What each picture that is trained on shows.
  ///   - captions: The texts of each picture.
  ///   - texts: Texts, each once.
  ///   - translations: Pairs of texts, in groups; empty groups are left out.
  /// - Throws: ``RetrievalError`` with code ``RetrievalError/Code/invalidArgument`` if the numbers do not fit together.
  public init(
    pixels: Tensor,
    places: [Int]? = nil,
    subjects: [Int],
    captions: [[Int]],
    texts: [String],
    translations: [[Translation]]
  ) throws {
    guard pixels.rank == 4, pixels.shape[1] == 3, pixels.dtype == .uint8,
      (places?.count ?? pixels.shape[0]) == subjects.count, subjects.count == captions.count
    else {
      throw RetrievalError(
        code: .invalidArgument,
        message: """
          pictures are [pictures, 3, height, width] of uint8 with a subject and captions each, not \
          \(pixels.shape) of \(pixels.dtype) with \(subjects.count) and \(captions.count)
          """
      )
    }
    let places = places ?? Array(0..<pixels.shape[0])
    guard places.allSatisfy((0..<pixels.shape[0]).contains) else {
      throw RetrievalError(code: .invalidArgument, message: "a picture is named that is not there")
    }
    guard captions.allSatisfy({ $0.allSatisfy(texts.indices.contains) }),
      translations.allSatisfy({
        $0.allSatisfy { texts.indices.contains($0.left) && texts.indices.contains($0.right) }
      })
    else {
      throw RetrievalError(code: .invalidArgument, message: "a pair names a text that is not there")
    }
    guard captions.contains(where: { !$0.isEmpty }) || translations.contains(where: { !$0.isEmpty })
    else {
      throw RetrievalError(
        code: .invalidArgument,
        message: "no picture has a text, and no text a translation"
      )
    }
    self.pixels = pixels
    self.places = places
    self.subjects = subjects
    self.captions = captions
    self.texts = texts
    self.translations = translations.filter { !$0.isEmpty }
  }

  /// Whether there is a picture with a text.
  public var hasPictures: Bool { captions.contains { !$0.isEmpty } }

  /// How many pictures with texts there are, and pairs of texts.
  public var count: Int {
    captions.count { !$0.isEmpty } + translations.reduce(0) { $0 + $1.count }
  }
}
