/// Parts of Prometheus' text format.
enum MetricText {
  /// Writes a line with a value.
  static func write(_ name: String, _ labels: [MetricLabel], _ value: Double, to text: inout String)
  {
    text += name
    if !labels.isEmpty {
      text += "{"
      text += labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        .joined(separator: ",")
      text += "}"
    }
    text += " \(number(value))\n"
  }

  /// A number as Go reads it.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    if let whole = Int64(exactly: value), abs(value) < 1e15 { return "\(whole)" }
    return "\(value)"
  }

  static func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// What metrics and labels can be called.
enum MetricName {
  static func isMetric(_ text: String) -> Bool { sanitized(text, colons: true) == text }

  static func isLabel(_ text: String) -> Bool {
    sanitized(text, colons: false) == text && !text.hasPrefix("__")
  }

  /// A name made of any text: what no name may have becomes `_`.
  static func sanitized(_ text: String, colons: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isLetter = scalar.isASCII && scalar.properties.isAlphabetic
      let isDigit = ("0"..."9").contains(scalar)
      if isDigit, result.isEmpty { result += "_" }
      if isLetter || isDigit || scalar == "_" || colons && scalar == ":" {
        result.unicodeScalars.append(scalar)
      } else {
        result += "_"
      }
    }
    return result.isEmpty ? "_" : result
  }
}
