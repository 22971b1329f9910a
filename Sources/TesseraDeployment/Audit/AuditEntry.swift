public import Foundation

/// A line of an ``AuditLog``.
public struct AuditEntry: Sendable, Hashable, Codable {
  /// When it was written, by the clock of the participant's machine.
  public var time: Date
  /// What it tells of.
  public var event: AuditEvent

  init(time: Date, event: AuditEvent) {
    self.time = time
    self.event = event
  }

  /// As a line holds it.
  func encoded() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .custom { date, encoder in
      var container = encoder.singleValueContainer()
      try container.encode(date.formatted(Self.style))
    }
    // A weight may be anything that a site says it is.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    return Array(try encoder.encode(self))
  }

  /// What a line holds, or `nil` if it is of a kind that this version does not know.
  init?(encoded bytes: ArraySlice<UInt8>) {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .custom { decoder in
      try Self.style.parse(decoder.singleValueContainer().decode(String.self))
    }
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf",
      negativeInfinity: "-inf",
      nan: "nan"
    )
    guard let entry = try? decoder.decode(AuditEntry.self, from: Data(bytes)) else { return nil }
    self = entry
  }

  private static let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
}
