internal import Foundation
internal import TesseraFederation
internal import TesseraRun

/// Turns an experiment's events into lines, and knows how much is left.
struct RunProgress {
  private var rounds = 0
  private var total = 0.0
  private var done = 0.0
  private var begin = ContinuousClock.now
  private var round = 0
  private var sites = 0
  private var answers = 0
  private var last: RunManifest.Round?
  private var comparisons = 0
  private var compared = 0

  /// How much there is to do.
  struct Work {
    /// The number of the last round.
    var rounds: Int
    /// How many images will be used.
    var images: Int

    /// What is left of a run; what earlier sessions did is not counted.
    init(continuing earlier: RunManifest, by experiment: ImageExperiment) {
      rounds = experiment.configuration.rounds
      images =
        experiment.imagesOfFederation(rounds: rounds - earlier.rounds.count)
        + experiment.imagesOfComparisons(rounds: rounds)
    }

    /// All that a run has done so far.
    init(repeating original: RunManifest, by experiment: ImageExperiment) {
      rounds = original.rounds.count
      images = experiment.imagesOfFederation(rounds: rounds)
      if original.status == .finished { images += experiment.imagesOfComparisons(rounds: rounds) }
    }
  }

  mutating func start(_ work: Work) {
    rounds = work.rounds
    total = Double(work.images)
    begin = .now
  }

  /// What stays, and what is shown until the next event.
  mutating func handle(_ event: ExperimentEvent) -> (line: String?, status: String?) {
    switch event {
    case .roundStarted(let number, let asked):
      round = number
      sites = asked
      answers = 0
      return (nil, roundStatus)
    case .siteAnswered(let count, let images):
      // Answers may overtake each other on their way here.
      answers = max(answers, count)
      done += Double(images)
      return (nil, roundStatus)
    case .roundFinished(let entry):
      last = entry
      let text = """
        round \(pad(entry.round, rounds))/\(rounds)  sites \(entry.contributors.count)/\(sites)  \
        \(measured(entry))  \(left)
        """
      return (entry.rejected.reduce(text) { $0 + "\n  not used: \($1.reason)" }, nil)
    case .comparisonsStarted(let count, let images):
      comparisons = count
      // The target may have been reached early, and earlier sessions may have finished some.
      total = done + Double(images)
      return (count > 0 ? "Comparing: each site alone, and all data in one place …" : nil, nil)
    case .comparisonAdvanced(let images):
      done += Double(images)
      return (nil, comparisonStatus)
    case .comparisonFinished(let name, let accuracy):
      compared += 1
      let text = "\(name): \(String(format: "%.1f %%", accuracy * 100))"
      return ("  \(text)  (\(compared)/\(comparisons), \(left))", comparisonStatus)
    }
  }

  private var roundStatus: String {
    "round \(pad(round, rounds))/\(rounds)  sites \(answers)/\(sites)  "
      + (last.map { measured($0) + "  " } ?? "") + left
  }

  private var comparisonStatus: String {
    "comparing  \(compared)/\(comparisons) done  \(left)"
  }

  private func measured(_ entry: RunManifest.Round) -> String {
    String(
      format: "loss %.3f  accuracy %.1f %%  %@ images/s",
      entry.loss,
      entry.accuracy * 100,
      grouped(Int(entry.imagesPerSecond))
    )
  }

  private var left: String {
    let seconds = (ContinuousClock.now - begin) / .seconds(1)
    guard let estimate = TimeLeft.estimate(done: min(done, total), of: total, after: seconds) else {
      return ""
    }
    return "\(TimeLeft.text(estimate)) left"
  }

  private func pad(_ number: Int, _ of: Int) -> String {
    String(repeating: " ", count: max("\(of)".count - "\(number)".count, 0)) + "\(number)"
  }
}
