internal import TesseraData

/// The tokens of many texts, in a quarter of the memory that a list for each would take.
public struct TokenTable: Sendable {
  private let tokens: [Int32]
  /// Where each text ends.
  private let ends: [Int]
  /// What fills up the shorter texts of a batch.
  private let padding: Int

  /// How many texts one thread turns into tokens at a time.
  private static let portion = 2048

  /// Turns texts into tokens, on all cores.
  ///
  /// - Parameters:
  ///   - texts: The texts.
  ///   - tokenizer: Does it.
  ///   - limit: How many tokens of a text are used.
  /// - Throws: `CancellationError` if the task is cancelled.
  public init(_ texts: [String], by tokenizer: any Tokenizer, atMost limit: Int) throws {
    let portions = (texts.count + Self.portion - 1) / Self.portion
    let parts = try ParallelWork.map(portions, step: "tokens") { _ in
      try Task.checkCancellation()
    } _: { number in
      let range = number * Self.portion..<min(texts.count, (number + 1) * Self.portion)
      var part = (tokens: [Int32](), counts: [Int]())
      for text in texts[range] {
        let row = tokenizer.tokens(of: text, atMost: limit)
        part.tokens += row.lazy.map { Int32(clamping: $0) }
        part.counts.append(row.count)
      }
      return part
    }
    var end = 0
    ends = parts.flatMap(\.counts).map { count in
      end += count
      return end
    }
    tokens = parts.flatMap(\.tokens)
    padding = tokenizer.padding
  }

  /// How many texts there are.
  public var count: Int { ends.count }

  /// The tokens of some texts.
  ///
  /// - Parameter places: Which.
  /// - Returns: Them, in that order.
  /// - Precondition: The texts are there.
  public func batch(_ places: [Int]) -> TokenBatch {
    TokenBatch(
      places.map { place in
        tokens[(place > 0 ? ends[place - 1] : 0)..<ends[place]].map(Int.init)
      },
      padding: padding
    )
  }
}
