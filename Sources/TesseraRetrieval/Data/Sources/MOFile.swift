internal import SystemPackage
internal import TesseraCore

/// A compiled catalogue of translations, as GNU gettext's `msgfmt` writes it (gettext manual, "The Format of GNU MO Files").
struct MOFile {
  /// A message and its translation, without contexts and plural forms.
  struct Message: Hashable {
    /// The text of the program.
    var original: String
    /// The text in the catalogue's language.
    var translation: String
  }

  /// The messages, in the order of the file.
  let messages: [Message]

  /// Reads a catalogue.
  ///
  /// - Throws: ``RetrievalError``, naming the file, if it cannot be read, is no catalogue, is truncated, or not in UTF-8.
  init(contentsOf path: FilePath) throws {
    let file = try JSONLines.open(path)
    func malformed(_ reason: String) -> RetrievalError {
      RetrievalError(code: .malformedFile, message: "\(path) is no .mo catalogue: \(reason)")
    }
    messages = try withExtendedLifetime(file) {
      let bytes = file.bytes
      guard bytes.count >= 20 else { throw malformed("it has \(bytes.count) bytes") }
      let magic = bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self).littleEndian
      let isSwapped: Bool
      switch magic {
      case 0x9504_12de: isSwapped = false
      case 0xde12_0495: isSwapped = true
      default: throw malformed("it does not begin as one")
      }
      func number(at offset: Int) throws -> Int {
        guard offset >= 0, offset <= bytes.count - 4 else { throw malformed("it is truncated") }
        let raw = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian
        return Int(isSwapped ? raw.byteSwapped : raw)
      }
      // The lower half is the minor revision, which readers of the major one can read.
      guard try number(at: 4) >> 16 <= 1 else { throw malformed("its revision is unknown") }
      let (count, originals, translations) = (
        try number(at: 8), try number(at: 12), try number(at: 16)
      )
      // Two tables of a length and an offset for each message.
      guard count <= bytes.count / 16 else { throw malformed("it is truncated") }
      func text(_ entry: Int) throws -> Slice<UnsafeRawBufferPointer> {
        let (length, offset) = (try number(at: entry), try number(at: entry + 4))
        guard offset <= bytes.count, length <= bytes.count - offset else {
          throw malformed("it is truncated")
        }
        return bytes[offset..<offset + length]
      }
      return try (0..<count).compactMap { index in
        let original = try text(originals + 8 * index)
        let translation = try text(translations + 8 * index)
        // The first message, of an empty original, is the header.
        guard !original.isEmpty else { return nil }
        // A context ends with the byte 4; plural forms are separated by 0.
        let start = original.firstIndex(of: 4).map { $0 + 1 } ?? original.startIndex
        guard
          let left = String(validating: original[start...].prefix { $0 != 0 }, as: UTF8.self),
          let right = String(validating: translation.prefix { $0 != 0 }, as: UTF8.self)
        else { throw malformed("message \(index + 1) is not UTF-8") }
        return left.isEmpty || right.isEmpty ? nil : Message(original: left, translation: right)
      }
    }
  }
}
