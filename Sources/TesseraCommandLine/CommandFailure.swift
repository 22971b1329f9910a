internal import Foundation

/// An error that programs can react to.
public protocol ReportableError: Error {
  /// What kind of failure it is, in a word that stays the same.
  var reportedKind: String { get }
  /// The key, the option or the file that is wrong, if it is one.
  var reportedField: String? { get }
}

extension ReportableError {
  /// As a rule none.
  public var reportedField: String? { nil }
}

/// A failure as programs read it: one line of standard error.
///
///     {"error":{"field":"--patience","kind":"usage","message":"--patience must be in 0.1...86400, not 0"}}
struct CommandFailure: Encodable {
  struct Reason: Encodable {
    var kind: String
    var message: String
    var field: String?

    private enum Key: String, CodingKey { case kind, message, field }

    // Each key is always there.
    func encode(to encoder: any Encoder) throws {
      var object = encoder.container(keyedBy: Key.self)
      try object.encode(kind, forKey: .kind)
      try object.encode(message, forKey: .message)
      try object.encode(field, forKey: .field)
    }
  }

  var error: Reason

  /// An error that ended a command.
  init(_ error: any Error) {
    let known = error as? any ReportableError
    self.error = Reason(
      kind: known?.reportedKind ?? "failed",
      message: "\(error)",
      field: known?.reportedField
    )
  }

  /// A command line that is wrong.
  init(usage message: String) {
    // The option that the message names first.
    let field = message.split(whereSeparator: { " '<=,:".contains($0) }).first {
      $0.hasPrefix("--")
    }
    error = Reason(kind: "usage", message: message, field: field.map(String.init))
  }

  /// The line.
  var line: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { return #"{"error":{"kind":"failed"}}"# }
    return String(decoding: data, as: UTF8.self)
  }
}
