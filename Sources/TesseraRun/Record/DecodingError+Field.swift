extension DecodingError {
  /// What is wrong with which field, without its value.
  package var fieldDescription: String {
    func path(_ context: Context, _ last: (any CodingKey)? = nil) -> String {
      let keys = context.codingPath + (last.map { [$0] } ?? [])
      return keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
    switch self {
    case .keyNotFound(let key, let context): return "the field '\(path(context, key))' is missing"
    case .typeMismatch(_, let context): return "the field '\(path(context))' has the wrong type"
    case .valueNotFound(_, let context): return "the field '\(path(context))' is empty"
    case .dataCorrupted(let context):
      let field = path(context)
      return field.isEmpty ? "it is not JSON" : "the field '\(field)' has a bad value"
    @unknown default: return "it cannot be read"
    }
  }
}
