public import TesseraRun

/// How much there is to do, for those who want to know how long it will take.
public struct ExperimentWork: Sendable, Hashable {
  /// The number of the last round of each training.
  public var rounds: Int
  /// How many examples the federated trainings will use.
  public var federation: Int
  /// How many examples each of what they are compared with will use, by name.
  public var comparisons: [String: Int]
  /// How many threads compute.
  public var lanes: Int
  /// How many of them a round can use.
  public var busyLanes: Int

  /// Some work.
  public init(
    rounds: Int = 0,
    federation: Int = 0,
    comparisons: [String: Int] = [:],
    lanes: Int = 1,
    busyLanes: Int = 1
  ) {
    self.rounds = rounds
    self.federation = federation
    self.comparisons = comparisons
    self.lanes = lanes
    self.busyLanes = busyLanes
  }
}

extension ImageExperiment {
  /// How many threads compute.
  public var lanes: Int { configuration.lanes }

  /// What is left of a run, or what a repetition of it takes.
  public func work(of manifest: RunManifest, isRepetition: Bool) -> ExperimentWork {
    let last = manifest.trainings.map(\.rounds.count).max() ?? 0
    let rounds = isRepetition ? last : configuration.rounds
    let left = manifest.trainings.map { training in
      if isRepetition { return training.rounds.count }
      return training.isFinished ? 0 : rounds - training.rounds.count
    }
    var comparisons = imagesOfComparisons(rounds: rounds)
    if isRepetition, manifest.status != .finished { comparisons = [:] }
    if !isRepetition { comparisons = comparisons.filter { manifest.curves[$0.key] == nil } }
    return ExperimentWork(
      rounds: rounds,
      federation: imagesOfFederation(rounds: left.reduce(0, +)),
      comparisons: comparisons,
      lanes: lanes,
      busyLanes: min(lanes, configuration.sitesPerRound)
    )
  }
}

extension JobRun {
  /// What is left of a run, or what a repetition of it takes.
  public func work(of manifest: RunManifest, isRepetition: Bool) -> ExperimentWork {
    let done = manifest.roundCount
    let rounds = isRepetition ? done : job.workflow.rounds
    let examples = data.sites.reduce(0) { $0 + $1.exampleCount } * job.executor.passes
    let share = job.workflow.participation
    return ExperimentWork(
      rounds: rounds,
      federation: Int(Double((isRepetition ? done : rounds - done) * examples) * share),
      lanes: lanes,
      busyLanes: min(lanes, SiteSample.count(of: data.sites.count, fraction: share))
    )
  }
}
