internal import Foundation
internal import TesseraCore
internal import TesseraRun

extension RetrievalExperiment {
  /// What models achieve on collections of other kinds than the data that they were trained on.
  ///
  /// - Parameters:
  ///   - models: The models, with what they are called.
  ///   - others: The collections, each measured as a whole.
  /// - Returns: A table; none without collections or models.
  /// - Throws: `TensorError` if memory is short.
  func otherSections(
    _ models: [(title: String, model: RetrievalModel)],
    _ others: [RetrievalDataset]
  ) throws -> [ReportPage.Section] {
    var rows: [[String]] = []
    for dataset in others {
      for track in RetrievalTrack.whole(dataset) {
        for (title, model) in models {
          try Task.checkCancellation()
          let result = try TrackResult(of: model, on: dataset, track) { _, _ in
            try Task.checkCancellation()
          }
          guard !result.languages.isEmpty else { continue }
          let well = Set(dataset.description.languages.wellResourced)
          let means = result.meanRecalls { well.contains($0) ? "well" : "under" }
          let chance = Self.chance(track.pictures.count)
          rows.append(
            [track.name, title, Self.text(means["well"]), Self.text(means["under"])]
              + [Self.interval(result), String(format: "%.1f", chance * 100)]
          )
        }
      }
    }
    guard !rows.isEmpty else { return [] }
    return [
      ReportPage.Section(
        "Other pictures, sentences and words",
        [
          .prose(
            """
            The same models on collections of other kinds, with the first seed: mean recall among all pictures of each, in per cent. \
            None of these pictures was trained on. Sentences of stamps were seen as translations where the data has them (source \
            tuxpaint, below).
            """
          ),
          .table(
            header: [
              "collection", "model", "well-resourced", "under-resourced", "95 % within", "chance",
            ],
            rows: rows
          ),
        ]
      )
    ]
  }

  private static func text(_ mean: (meanRecall: Double, languages: Int)?) -> String {
    mean.map { String(format: "%.1f (%d languages)", $0.meanRecall * 100, $0.languages) } ?? "–"
  }

  private static func interval(_ result: TrackResult) -> String {
    result.interval().map {
      String(format: "%.1f to %.1f", $0.interval.lowerBound * 100, $0.interval.upperBound * 100)
    } ?? "–"
  }

  /// The mean recall of guesses, where each query has one picture.
  private static func chance(_ pictures: Int) -> Double {
    [1, 5, 10].map { min(1, Double($0) / Double(max(1, pictures))) }.mean
  }
}
