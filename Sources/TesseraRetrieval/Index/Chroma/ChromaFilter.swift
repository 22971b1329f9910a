extension VectorFilter {
  /// The part of the filter that Chroma understands: all that fulfil the filter fulfil it, and perhaps others; `nil` if that is everything.
  ///
  /// Chroma has no order of texts, no beginnings and patterns, and no "there is none", so the client decides itself in the end.
  var chromaCondition: JSONText? {
    func condition(_ name: String, _ operation: String, _ value: JSONText) -> JSONText? {
      guard name != Self.idName, !ChromaEntry.isReserved(name) else { return nil }
      return .object([(name, .object([(operation, value)]))])
    }
    func joined(_ operation: String, _ parts: [JSONText]) -> JSONText? {
      parts.count > 1 ? .object([(operation, .list(parts))]) : parts.first
    }
    switch self {
    case .equals(let name, let value): return condition(name, "$eq", JSONText(value))
    case .isIn(let name, let values):
      // Each value by itself: a list is to be of one kind.
      let parts = values.compactMap { condition(name, "$eq", JSONText($0)) }
      return parts.count == values.count ? joined("$or", parts) : nil
    case .compares(let name, let comparison, .number(let number)):
      let operation =
        switch comparison {
        case .less: "$lt"
        case .atMost: "$lte"
        case .greater: "$gt"
        case .atLeast: "$gte"
        }
      return condition(name, operation, .number(number))
    case .all(let parts): return joined("$and", parts.compactMap(\.chromaCondition))
    case .any(let parts):
      let conditions = parts.compactMap(\.chromaCondition)
      return conditions.count == parts.count ? joined("$or", conditions) : nil
    case .compares, .hasPrefix, .matches, .has, .not: return nil
    }
  }
}
