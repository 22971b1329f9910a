public import TesseraCore

/// How sure a difference between two systems is that were measured on the same languages and the same things: both are drawn again and
/// again, with replacement, and the difference taken anew (Efron and Tibshirani, 1993, chapter 13).
public struct PairedBootstrap: Sendable, Hashable, Codable {
  /// The difference of the means over languages: second system less first.
  public var difference: Double
  /// Where 95 % of the differences of redrawn languages and things lie.
  public var interval: ClosedRange<Double>

  /// A difference, and how sure it is; `nil` if the systems have nothing in common.
  ///
  /// - Parameters:
  ///   - first: By language, and by thing, what a system achieves.
  ///   - second: The same of the other; what only one of them has is left out.
  ///   - draws: How often languages and things are drawn.
  ///   - key: What the draws derive from.
  public init?(
    from first: [String: [Int: Double]],
    to second: [String: [Int: Double]],
    draws: Int = 2_000,
    key: RandomKey
  ) {
    let languages = Set(first.keys).intersection(second.keys).sorted()
    let subjects = Set(languages.flatMap { (first[$0] ?? [:]).keys }).sorted()
    let places = Dictionary(uniqueKeysWithValues: subjects.enumerated().map { ($1, $0) })
    // Each language's differences with their things' places: not every language names every thing.
    let differences = languages.compactMap { language -> [(place: Int, value: Double)]? in
      let (a, b) = (first[language] ?? [:], second[language] ?? [:])
      let own = a.keys.sorted().compactMap { subject -> (place: Int, value: Double)? in
        guard let one = a[subject], let other = b[subject], let place = places[subject] else {
          return nil
        }
        return (place, other - one)
      }
      return own.isEmpty ? nil : own
    }
    guard !differences.isEmpty, draws > 0 else { return nil }
    func mean(_ languages: [Int], _ counts: [Int]) -> Double? {
      var total = 0.0
      var used = 0
      for language in languages {
        var sum = 0.0
        var count = 0
        for (place, value) in differences[language] where counts[place] > 0 {
          sum += value * Double(counts[place])
          count += counts[place]
        }
        if count > 0 {
          total += sum / Double(count)
          used += 1
        }
      }
      return used > 0 ? total / Double(used) : nil
    }
    let all = Array(differences.indices)
    difference = mean(all, [Int](repeating: 1, count: subjects.count)) ?? 0
    var numbers = KeyedRandomNumbers(key: key["bootstrap"])
    var drawn: [Double] = []
    for _ in 0..<draws {
      var counts = [Int](repeating: 0, count: subjects.count)
      for _ in subjects { counts[Int.random(in: subjects.indices, using: &numbers)] += 1 }
      let again = all.map { _ in Int.random(in: all.indices, using: &numbers) }
      if let value = mean(again, counts) { drawn.append(value) }
    }
    drawn.sort()
    let tail = Int(Double(drawn.count) * 0.025)
    let low = drawn.isEmpty ? difference : drawn[tail]
    let high = drawn.isEmpty ? difference : drawn[drawn.count - 1 - tail]
    interval = low...high
  }
}
