extension Schema where Value == Int {
  /// Any integer.
  public static var integer: Schema { integer(in: Int.min...Int.max) }

  /// An integer; `1.0` and `1e3` are integers too, `1.5` is not.
  public static func integer(in range: some RangeExpression<Int>) -> Schema {
    Schema {
      let isAny = range.contains(.min) && range.contains(.max)
      return ValueForm(type: "integer", allowed: isAny ? nil : words(for: range))
    } sample: {
      ([1, 0, 2, 8].first { range.contains($0) }) ?? least(of: range)
    } text: {
      "\($0)"
    } read: {
      try $0.checked($0.integer(), in: range)
    }
  }
}

extension Schema where Value == UInt64 {
  /// Any integer from 0 to 2^64 - 1, as seeds are.
  public static var unsigned: Schema { unsigned(in: UInt64.min...UInt64.max) }

  /// An integer, as ``Schema/integer(in:)`` reads it.
  public static func unsigned(in range: some RangeExpression<UInt64>) -> Schema {
    Schema {
      ValueForm(type: "integer", allowed: words(for: range))
    } sample: {
      ([1, 0].first { range.contains($0) }) ?? least(of: range)
    } text: {
      "\($0)"
    } read: {
      try $0.checked($0.integer(), in: range)
    }
  }
}

extension Schema where Value == Double {
  /// Any finite number.
  public static var number: Schema {
    number(
      allowed: nil,
      in: -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    )
  }

  /// A finite number.
  public static func number(in range: some RangeExpression<Double>) -> Schema {
    number(allowed: words(for: range), in: range)
  }

  /// A finite number above another, and at most or below a third.
  public static func number(above low: Double, through high: Double? = nil) -> Schema {
    let allowed = "above \(short(low))" + (high.map { " and at most \(short($0))" } ?? "")
    return number(allowed: allowed, in: low.nextUp...(high ?? Double.greatestFiniteMagnitude))
  }

  /// A finite number above another and below a third.
  public static func number(above low: Double, below high: Double) -> Schema {
    number(allowed: "above \(short(low)) and below \(short(high))", in: low.nextUp..<high)
  }

  private static func number(
    allowed: String?,
    in range: some RangeExpression<Double>
  ) -> Schema {
    Schema {
      ValueForm(type: "number", allowed: allowed)
    } sample: {
      ([1, 0.5, 0.1, 0.01, 0, 2, 100].first { range.contains($0) }) ?? least(of: range)
    } text: {
      short($0)
    } read: { entry in
      let value: Double?
      switch entry.node.scalar {
      case .integer(let digits): value = Double(digits)
      case .number(let number): value = number
      default: throw entry.mustBe("a number")
      }
      guard let value, value.isFinite else { throw entry.problem(.outOfRange, "must be finite") }
      guard range.contains(value) else {
        throw entry.problem(.outOfRange, "must be \(allowed ?? words(for: range)), not \(value)")
      }
      return value
    }
  }
}

extension Schema where Value == Bool {
  /// `true` or `false`.
  public static var boolean: Schema {
    Schema {
      ValueForm(type: "true or false")
    } sample: {
      false
    } text: {
      "\($0)"
    } read: { entry in
      guard case .scalar(let text, false) = entry.node.content, text == "true" || text == "false"
      else { throw entry.mustBe("true or false") }
      return text == "true"
    }
  }
}

extension Schema where Value == String {
  /// Text; what looks like a number or a boolean has to be in quotes.
  public static var text: Schema {
    Schema {
      ValueForm(type: "text")
    } sample: {
      "text"
    } text: {
      $0
    } read: { entry in
      guard case .text(let text) = entry.node.scalar else {
        throw entry.mustBe("text (in quotes if it looks like something else)")
      }
      return text
    }
  }
}

extension Entry {
  /// The value as an integer.
  fileprivate func integer<Value: FixedWidthInteger>() throws -> Value {
    let value: Value?
    switch node.scalar {
    case .integer(let digits): value = Value(digits)
    // Beyond 2^53 not every integer is a number of this kind.
    case .number(let number) where number.rounded() == number && abs(number) <= 0x1p53:
      value = Value(exactly: number)
    default: throw mustBe("an integer")
    }
    guard let value else { throw problem(.outOfRange, "is too large or too small") }
    return value
  }

  /// A value that is in its range.
  fileprivate func checked<Value>(
    _ value: Value,
    in range: some RangeExpression<Value>
  ) throws -> Value {
    guard range.contains(value) else {
      throw problem(.outOfRange, "must be \(words(for: range)), not \(value)")
    }
    return value
  }
}

/// A range in words.
func words<Value>(for range: some RangeExpression<Value>) -> String {
  func text(_ value: Value) -> String { (value as? Double).map(short) ?? "\(value)" }
  return switch range {
  case let range as PartialRangeFrom<Value>: "of at least \(text(range.lowerBound))"
  case let range as PartialRangeThrough<Value>: "of at most \(text(range.upperBound))"
  case let range as PartialRangeUpTo<Value>: "below \(text(range.upperBound))"
  case let range as ClosedRange<Value>:
    "in \(text(range.lowerBound))...\(text(range.upperBound))"
  case let range as Range<Value>: "in \(text(range.lowerBound))..<\(text(range.upperBound))"
  default: "in \(range)"
  }
}

/// A value that a range holds.
private func least<Value>(of range: some RangeExpression<Value>) -> Value? {
  switch range {
  case let range as ClosedRange<Value>: range.lowerBound
  case let range as Range<Value>: range.isEmpty ? nil : range.lowerBound
  case let range as PartialRangeFrom<Value>: range.lowerBound
  case let range as PartialRangeThrough<Value>: range.upperBound
  default: nil
  }
}

/// A number without a fraction that says nothing.
private func short(_ number: Double) -> String {
  let text = "\(number)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
