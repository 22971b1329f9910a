internal import Foundation
internal import TesseraCommandLine
internal import TesseraCore
internal import TesseraRetrieval
internal import TesseraRun

/// What a model achieves on a track, for programs and for people.
struct EvaluationSummary: Encodable, Sendable {
  var track: String
  var meanRecall: Double
  /// Where 95 % of the mean recalls of redrawn languages and things lie.
  var interval: [Double]?
  var gainAtTen: Double
  var precisionAtOne: Double?
  var miningF1: Double?
  /// The mean recalls of well-resourced and under-resourced languages.
  var groups: [String: Group]
  /// The mean recalls of languages by the script that they are written in.
  var scripts: [String: Group]
  var languages: [String: Language]

  struct Group: Encodable, Sendable {
    var meanRecall: Double
    var languages: Int
  }

  struct Language: Encodable, Sendable {
    var textToPicture: RetrievalScore.Recalls
    var pictureToText: RetrievalScore.Recalls
    var meanRecall: Double
    var gainAtTen: Double
    var translation: TranslationScore?
  }

  init(
    _ result: TrackResult,
    _ translations: [String: TranslationScore],
    _ groups: DatasetDescription.Languages
  ) {
    track = result.track
    meanRecall = result.meanRecall
    interval = result.interval().map { [$0.interval.lowerBound, $0.interval.upperBound] }
    gainAtTen = result.gainAtTen
    func mean(_ value: (TranslationScore) -> Double) -> Double? {
      let values = translations.sorted { $0.key < $1.key }.map { value($0.value) }
      return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
    precisionAtOne = mean(\.precisionAtOne)
    miningF1 = mean(\.mining.f1)
    let well = Set(groups.wellResourced)
    self.groups = result.meanRecalls {
      well.contains($0) ? "well-resourced" : "under-resourced"
    }.mapValues { Group(meanRecall: $0.meanRecall, languages: $0.languages) }
    scripts = result.meanRecalls { LanguageScript.name(of: $0) ?? "unknown" }
      .mapValues { Group(meanRecall: $0.meanRecall, languages: $0.languages) }
    languages = result.languages.reduce(into: [:]) { languages, entry in
      let score = entry.value
      languages[entry.key] = Language(
        textToPicture: score.textToPicture,
        pictureToText: score.pictureToText,
        meanRecall: score.meanRecall,
        gainAtTen: score.gainAtTen,
        translation: translations[entry.key]
      )
    }
  }

  func show(on output: ProgressOutput) {
    func percent(_ value: Double?) -> String {
      value.map { String(format: "%5.1f", $0 * 100) } ?? "    –"
    }
    output.line("")
    let sure = interval.map {
      " (95 % within\(percent($0[0])) to\(percent($0[1])))"
    }
    output.line("\(track): mean recall \(percent(meanRecall)) %\(sure ?? "")")
    output.line(
      """
        language   text → picture @1    @5   @10   picture → text @1    @5   @10    mean   nDCG@10   to English: P@1  mining F1
      """
    )
    for (language, score) in languages.sorted(by: { $0.key < $1.key }) {
      let (to, from) = (score.textToPicture, score.pictureToText)
      output.line(
        """
          \(language.padding(toLength: 10, withPad: " ", startingAt: 0))            \
        \(percent(to.at1)) \(percent(to.at5)) \(percent(to.at10))            \
        \(percent(from.at1)) \(percent(from.at5)) \(percent(from.at10))   \
        \(percent(score.meanRecall))     \(percent(score.gainAtTen))           \
        \(percent(score.translation?.precisionAtOne))      \(percent(score.translation?.mining.f1))
        """
      )
    }
    for (name, group) in groups.sorted(by: { $0.key < $1.key })
      + scripts.sorted(by: { $0.key < $1.key })
    {
      output.line(
        "  \(name): mean recall \(percent(group.meanRecall)) % of \(counted(group.languages, "language"))"
      )
    }
    if let precisionAtOne, let miningF1 {
      output.line(
        "  to English: P@1 \(percent(precisionAtOne)) %, mining F1 \(percent(miningF1)) %, means over languages"
      )
    }
  }
}
