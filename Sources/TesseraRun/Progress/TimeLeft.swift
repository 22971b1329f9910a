/// How long work will still take, from how long its done part took.
public enum TimeLeft {
  /// The seconds that independent parts still take, each on one of some lanes: at least those of the largest part.
  ///
  /// - Parameters:
  ///   - parts: How much is left of each, in any unit.
  ///   - lanes: How many parts go on at a time.
  ///   - secondsEach: How long a lane takes for one unit.
  /// - Returns: Seconds.
  public static func estimate(parts: [Double], lanes: Int, secondsEach: Double) -> Double {
    max(parts.reduce(0, +) / Double(max(lanes, 1)), parts.max() ?? 0) * secondsEach
  }

  /// `45 s`, `2 min 05 s`, `1 h 02 min`.
  public static func text(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "–" }
    let whole = Int(seconds.rounded())
    func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(padded(whole % 60)) s" }
    return "\(whole / 3600) h \(padded(whole / 60 % 60)) min"
  }
}
