internal import Foundation

/// What is done to a text before it is cut into words, as BERT's own tokenizer does it (Devlin et al., 2019).
public struct TextCleaning: Sendable, Hashable, Codable {
  /// Whether letters become small.
  public var lowercases: Bool
  /// Whether accents, and all other marks that do not take up room of their own, are dropped.
  public var stripsAccents: Bool
  /// Whether each Chinese character is a word.
  public var splitsIdeographs: Bool

  /// A cleaning; without arguments that of "uncased" models.
  public init(
    lowercases: Bool = true,
    stripsAccents: Bool = true,
    splitsIdeographs: Bool = true
  ) {
    self.lowercases = lowercases
    self.stripsAccents = stripsAccents
    self.splitsIdeographs = splitsIdeographs
  }

  /// The words of a text, and its punctuation marks one by one.
  public func words(of text: String) -> [String] {
    var clean = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if Self.isDropped(scalar) { continue }
      if Self.isSpace(scalar) {
        clean.append(" ")
      } else if splitsIdeographs, Self.isIdeograph(scalar) {
        clean.append(" ")
        clean.append(scalar)
        clean.append(" ")
      } else {
        clean.append(scalar)
      }
    }
    var text = String(clean)
    if stripsAccents {
      // ASCII has none, and is most of what is read.
      if !text.utf8.allSatisfy({ $0 < 0x80 }) {
        text = text.decomposedStringWithCanonicalMapping
        text.unicodeScalars.removeAll { $0.properties.generalCategory == .nonspacingMark }
      }
    }
    if lowercases {
      var lowered = String.UnicodeScalarView()
      for scalar in text.unicodeScalars {
        lowered.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
      }
      text = String(lowered)
    }
    return Self.split(text)
  }

  /// Cuts at spaces, and around each punctuation mark.
  private static func split(_ text: String) -> [String] {
    var words: [String] = []
    var word = String.UnicodeScalarView()
    func finish() {
      if !word.isEmpty { words.append(String(word)) }
      word = String.UnicodeScalarView()
    }
    for scalar in text.unicodeScalars {
      if isSpace(scalar) {
        finish()
      } else if isPunctuation(scalar) {
        finish()
        words.append(String(scalar))
      } else {
        word.append(scalar)
      }
    }
    finish()
    return words
  }

  /// Control and format characters, those for private use, and the one for what could not be read.
  private static func isDropped(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      return scalar.value < 0x20 && !isSpace(scalar) || scalar.value == 0x7F
    }
    if scalar.value == 0xFFFD { return true }
    return switch scalar.properties.generalCategory {
    case .control, .format, .privateUse, .surrogate: true
    default: false
    }
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case " ", "\t", "\n", "\r": true
    default: !scalar.isASCII && scalar.properties.isWhitespace
    }
  }

  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      // All signs of ASCII that are no letters and no digits, also those that Unicode calls symbols.
      return switch scalar.value {
      case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
      default: false
      }
    }
    return switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      true
    default: false
    }
  }

  private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B820...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
