internal import SystemPackage
internal import TesseraRun

/// Puts texts into a store: those that are new or have changed since the last time.
///
///     let indexer = TextIndexer(model)
///     let report = try await indexer.index(ListedText.all(in: "captions.csv"), into: store)
///
/// The text itself is kept in the entry's metadata, under ``textName``. Like its model, an indexer belongs to one task at a time.
public struct TextIndexer {
  /// How many texts become vectors, and are written, at a time.
  public var batch = 256
  private let model: RetrievalModel

  /// The name that a text has in its entry's metadata.
  public static let textName = "text"

  /// An indexer for a model.
  public init(_ model: RetrievalModel) { self.model = model }

  /// Puts texts into a store; those of white space alone are left out.
  ///
  /// - Parameters:
  ///   - texts: With different ids.
  ///   - store: Of the same model.
  ///   - removesOthers: Whether entries that are not among the texts are removed.
  ///   - progress: Is told after each text.
  /// - Returns: What became of them.
  /// - Throws: What the store throws, ``RetrievalError`` if ids repeat, `CancellationError`; what was written until then is in the store.
  public func index(
    _ texts: [ListedText],
    into store: any VectorStore,
    removesOthers: Bool = false,
    progress: (IndexingReport) -> Void = { _ in }
  ) async throws -> IndexingReport {
    let items = texts.map { text in
      var metadata = text.metadata
      metadata[Self.textName] = .text(text.text)
      return Indexing<String>.Item(id: text.id, metadata: metadata) {
        guard !text.text.allSatisfy(\.isWhitespace) else {
          throw RetrievalError(code: .invalidArgument, message: "the text '\(text.id)' is empty")
        }
        return (Digest.sha256(ofText: text.text), { text.text })
      }
    }
    return try await Indexing(batch: batch) { try model.vectors(ofTexts: $0) }
      .index(items, into: store, removesOthers: removesOthers, progress: progress)
  }
}
