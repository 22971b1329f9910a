/// How long work will still take, from how long its done part took.
public enum TimeLeft {
  /// The seconds left, or `nil` before anything is done.
  ///
  /// - Parameters:
  ///   - done: How much is done, in any unit.
  ///   - total: How much there is.
  ///   - seconds: How long the done part took.
  /// - Returns: Seconds, or `nil` if nothing can be said yet.
  public static func estimate(done: Double, of total: Double, after seconds: Double) -> Double? {
    guard done > 0, seconds > 0, total >= done else { return nil }
    return seconds * (total - done) / done
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
