extension Site {
  /// Refuses what no site may be called.
  ///
  /// Names stand in file names, reports, terminals and messages of a deployment. So a name has 1 to 64 characters and at most
  /// 200 bytes: letters and digits of any script, `-`, `_`, `.` and single spaces between them; it begins with a letter or digit
  /// and does not end with a dot. `job` and `server` stand for others in records.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``, without what of the name would move
  ///   a terminal's cursor.
  public static func checkName(_ name: String) throws {
    func refused(_ reason: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: "a site's name \(reason)")
    }
    // The usual case of many sites.
    if name.utf8.count <= 64, name.utf8.allSatisfy(isPlain),
      name.utf8.first.map(isAlphanumeric) == true,
      !isReserved(name)
    {
      return
    }
    guard !name.isEmpty else { throw refused("must not be empty") }
    guard name.count <= 64, name.utf8.count <= 200 else {
      throw refused(
        "must have at most 64 characters and 200 bytes, not \(name.count) and \(name.utf8.count)"
      )
    }
    if let wrong = name.unicodeScalars.first(where: { !isAllowed($0) }) {
      throw refused(
        "must be of letters, digits, '-', '_', '.' and spaces, without U+\(hexadecimal(wrong))"
      )
    }
    guard let first = name.unicodeScalars.first, isLetter(first) else {
      throw refused("must begin with a letter or a digit")
    }
    guard name.last != ".", name.last != " ", !name.contains("  ") else {
      throw refused("must not end with a dot or a space, nor have several spaces in a row")
    }
    guard !isReserved(name) else { throw refused("must not be '\(name)', which stands for others") }
  }

  /// Refuses sites that cannot be told apart, or are called what no site may be.
  ///
  /// Names that differ only in capitals or in how Unicode writes the same characters would be one file on some systems.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  public static func check(_ sites: [Site]) throws {
    var seen: Set<String> = []
    seen.reserveCapacity(sites.count)
    for (position, site) in sites.enumerated() {
      guard site.index == position else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "the site at position \(position) has the index \(site.index)"
        )
      }
      try checkName(site.name)
      guard seen.insert(site.name.lowercased()).inserted else {
        throw FederationError(
          code: .invalidConfiguration,
          message: "two sites are called '\(site.name)', apart from capitals"
        )
      }
    }
  }

  private static func isReserved(_ name: String) -> Bool {
    guard name.utf8.count == 3 || name.utf8.count == 6 else { return false }
    return ["job", "server"].contains(name.lowercased())
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
      || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
      .decimalNumber, .letterNumber:
      true
    default: false
    }
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark: true
    default: isLetter(scalar) || "-_. ".unicodeScalars.contains(scalar)
    }
  }

  private static func hexadecimal(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
