public import TesseraCore

/// Two systems side by side on one track: the means over all seeds, and how sure their difference is.
public struct SystemComparison: Sendable, Hashable, Codable {
  /// What the two are called.
  public var names: [String]
  /// The track's name.
  public var track: String
  /// What the first achieves with each seed: mean recalls, in `0...1`.
  public var first: [Double]
  /// What the second achieves.
  public var second: [Double]
  /// By language, the first's mean recall and the second's, each the mean over all seeds.
  public var languages: [String: Pair]
  /// Second less first, over languages and things; `nil` if they have nothing in common.
  public var difference: PairedBootstrap?

  /// What two systems achieve.
  public struct Pair: Sendable, Hashable, Codable {
    /// The first.
    public var first: Double
    /// The second.
    public var second: Double
  }

  /// Compares results of one track.
  ///
  /// - Parameters:
  ///   - name: What the first system is called.
  ///   - first: Of the first system, one for each seed.
  ///   - otherName: What the second system is called.
  ///   - second: Of the second system.
  ///   - key: Draws the bootstrap.
  public init(
    of name: String,
    _ first: [TrackResult],
    with otherName: String,
    _ second: [TrackResult],
    key: RandomKey
  ) {
    names = [name, otherName]
    track = first.first?.track ?? second.first?.track ?? ""
    self.first = first.map(\.meanRecall)
    self.second = second.map(\.meanRecall)
    let (one, other) = (Self.mean(first), Self.mean(second))
    languages = [:]
    for (language, values) in one.recalls {
      if let value = other.recalls[language] {
        languages[language] = Pair(first: values, second: value)
      }
    }
    difference = PairedBootstrap(from: one.bySubject, to: other.bySubject, key: key)
  }

  /// Over all seeds, each language's mean recall, and that of each thing.
  private static func mean(
    _ results: [TrackResult]
  ) -> (recalls: [String: Double], bySubject: [String: [Int: Double]]) {
    var recalls: [String: [Double]] = [:]
    var subjects: [String: [Int: [Double]]] = [:]
    for result in results {
      for (language, score) in result.languages {
        recalls[language, default: []].append(score.meanRecall)
        for (subject, value) in score.bySubject {
          subjects[language, default: [:]][subject, default: []].append(value)
        }
      }
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    return (recalls.mapValues(mean), subjects.mapValues { $0.mapValues(mean) })
  }
}

extension [Double] {
  /// The mean; 0 of none.
  var mean: Double { isEmpty ? 0 : reduce(0, +) / Double(count) }

  /// The standard deviation of a sample; 0 of fewer than two.
  var deviation: Double {
    guard count > 1 else { return 0 }
    let mean = mean
    return (reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)).squareRoot()
  }
}
