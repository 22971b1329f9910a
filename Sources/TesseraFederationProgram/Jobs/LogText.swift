internal import Foundation
internal import TesseraDeployment

/// Lines of a log, as people read them.
enum LogText {
  /// A line of JSON in words; as it is, if it is none.
  static func line(_ json: String) -> String {
    guard
      var fields = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    else { return TerminalText.line(json) }
    func take(_ key: String) -> String? { fields.removeValue(forKey: key).map { "\($0)" } }
    let (time, level) = (take("time"), take("level"))
    let message = take("message") ?? ""
    _ = take("label")
    _ = take("job")
    let rest = fields.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    return TerminalText.line(
      ([time, level, message].compactMap { $0 } + rest).joined(separator: "  ")
    )
  }
}
