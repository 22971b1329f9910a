internal import Foundation
internal import TesseraFederation
internal import TesseraRun

/// Turns an experiment's events into lines, and knows how much is left.
struct RunProgress {
  private var work = ExperimentWork()
  /// What the federation still uses, and each comparison.
  private var federationLeft = 0.0
  private var comparisonsLeft: [String: Double] = [:]
  private var pace = Pace()
  private var round = 0
  private var sites = 0
  private var answers = 0
  private var last: RunManifest.Round?
  private var comparisons = 0
  private var compared = 0

  /// How long a lane takes for an image, measured since the work last changed its kind.
  private struct Pace {
    private var begin = ContinuousClock.now
    private var images = 0.0
    private var expected = 0.0
    private var lanes = 1
    private var earlier: Double?

    mutating func restart(lanes: Int, expecting images: Double) {
      earlier = secondsEach
      expected = images
      begin = .now
      self.images = 0
      self.lanes = lanes
    }

    mutating func add(_ count: Int) { images += Double(count) }

    var secondsEach: Double? {
      // Lanes report whole epochs: at first most of what they have done is not counted yet.
      if let earlier, images < expected / 10 { return earlier }
      guard images > 0 else { return nil }
      return (ContinuousClock.now - begin) / .seconds(1) * Double(lanes) / images
    }
  }

  mutating func start(_ work: ExperimentWork) {
    self.work = work
    federationLeft = Double(work.federation)
    comparisonsLeft = work.comparisons.mapValues(Double.init)
    pace.restart(lanes: work.busyLanes, expecting: federationLeft)
  }

  /// What stays, and what is shown until the next event.
  mutating func handle(_ event: ExperimentEvent) -> (line: String?, status: String?) {
    switch event {
    case .trainingStarted(_, let title):
      last = nil
      round = 0
      return ("\(title):", nil)
    case .roundStarted(let number, let asked):
      // Of a round that asks several times, the task for most sites counts.
      sites = number == round ? max(sites, asked) : asked
      round = number
      answers = 0
      return (nil, roundStatus)
    case .siteAnswered(let count, let images):
      // Answers may overtake each other on their way here.
      answers = max(answers, count)
      pace.add(images)
      federationLeft = max(federationLeft - Double(images), 0)
      return (nil, roundStatus)
    case .roundFinished(let entry):
      last = entry
      let used = Set(entry.contributors.map(\.site)).count
      // In a relay each is asked for itself.
      let text = """
        round \(pad(entry.round, work.rounds))/\(work.rounds)  sites \(used)/\(max(sites, used))  \
        \(measured(entry))  \(left)
        """
      return (entry.rejected.reduce(text) { $0 + "\n  not used: \($1.reason)" }, nil)
    case .comparisonsStarted(let images):
      comparisons = images.count
      // The target may have been reached early.
      federationLeft = 0
      comparisonsLeft = images.mapValues(Double.init)
      pace.restart(
        lanes: min(work.lanes, images.count),
        expecting: comparisonsLeft.values.reduce(0, +)
      )
      return (
        images.isEmpty ? nil : "Comparing: each site alone, and all data in one place …", nil
      )
    case .comparisonAdvanced(let name, let images):
      pace.add(images)
      comparisonsLeft[name] = max((comparisonsLeft[name] ?? 0) - Double(images), 0)
      return (nil, comparisonStatus)
    case .comparisonFinished(let name, let accuracy):
      compared += 1
      let text = "\(name): \(String(format: "%.1f %%", accuracy * 100))"
      return ("  \(text)  (\(compared)/\(comparisons), \(left))", comparisonStatus)
    }
  }

  private var roundStatus: String {
    "round \(pad(round, work.rounds))/\(work.rounds)  sites \(answers)/\(sites)  "
      + (last.map { measured($0) + "  " } ?? "") + left
  }

  private var comparisonStatus: String {
    "comparing  \(compared)/\(comparisons) done  \(left)"
  }

  private func measured(_ entry: RunManifest.Round) -> String {
    let measured = [
      (entry.loss ?? entry.trainingLoss).map { String(format: "loss %.3f", $0) },
      entry.accuracy.map { String(format: "accuracy %.1f %%", $0 * 100) },
      "\(grouped(Int(entry.examplesPerSecond))) examples/s",
    ]
    return measured.compactMap { $0 }.joined(separator: "  ")
  }

  private var left: String {
    guard let secondsEach = pace.secondsEach else { return "" }
    let federation = federationLeft / Double(work.busyLanes) * secondsEach
    let comparisons = TimeLeft.estimate(
      parts: Array(comparisonsLeft.values),
      lanes: work.lanes,
      secondsEach: secondsEach
    )
    // Of less than a second nobody wants to know.
    guard federation + comparisons >= 1 else { return "" }
    return "\(TimeLeft.text(federation + comparisons)) left"
  }

  private func pad(_ number: Int, _ of: Int) -> String {
    String(repeating: " ", count: max("\(of)".count - "\(number)".count, 0)) + "\(number)"
  }
}
