/// Text from elsewhere, as a terminal may show it.
///
/// Names, reasons and messages come from sites and users: what they hold must not move the cursor, or pass for a line of ours.
public enum TerminalText {
  /// The text in one line; what would end the line, move the cursor or turn the direction of writing is written out.
  public static func line(_ text: String) -> String { LogLine.escaped(text) }

  /// The text in as many lines as it has, each but the first farther to the right.
  public static func paragraph(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line(String($0)) }
      .joined(separator: "\n      ")
  }
}
