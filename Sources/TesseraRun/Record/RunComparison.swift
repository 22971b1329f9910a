/// Where two runs differ first.
public struct RunDifference: Sendable, Equatable, CustomStringConvertible {
  /// The round, from 1; 0 for what comes before the first.
  public var round: Int
  /// What differs: a tensor's name, or a field of the record.
  public var what: String

  /// Makes a difference.
  public init(round: Int, what: String) {
    self.round = round
    self.what = what
  }

  /// `round 3: tensor 'conv1.weight'`.
  public var description: String { round == 0 ? what : "round \(round): \(what)" }

  /// The first difference in what the runs started from, or `nil` if there is none: their settings, data and first model.
  ///
  /// How many lanes there are, and where the data lie, is not compared.
  public static func beforeTraining(_ a: RunManifest, _ b: RunManifest) -> RunDifference? {
    func differs(_ what: String) -> RunDifference { RunDifference(round: 0, what: what) }
    let settings = Set(a.configuration.keys).union(b.configuration.keys).subtracting([
      "lanes", "data",
    ])
    for name in settings.sorted() where a.configuration[name] != b.configuration[name] {
      return differs("the setting '\(name)'")
    }
    if a.seed != b.seed { return differs("the seed") }
    if a.datasets != b.datasets || a.classNames != b.classNames { return differs("the data sets") }
    if a.sites != b.sites { return differs("the division among sites") }
    if a.initialModel != b.initialModel { return differs("the initial model") }
    return nil
  }

  /// The first difference in what the runs computed, or `nil` if they are identical.
  ///
  /// Tensors are compared in the order of `tensorOrder`. Times and versions are not compared.
  public static func first(
    between a: RunManifest,
    and b: RunManifest,
    tensorOrder: [String]
  ) -> RunDifference? {
    if let difference = beforeTraining(a, b) { return difference }
    for (x, y) in zip(a.rounds, b.rounds) {
      func differs(_ what: String) -> RunDifference { RunDifference(round: x.round, what: what) }
      if x.round != y.round { return differs("the number of the round") }
      if x.contributors.map(\.site) != y.contributors.map(\.site)
        || x.contributors.map(\.weight) != y.contributors.map(\.weight)
      {
        return differs("who contributed")
      }
      if x.tensors != y.tensors {
        let names = tensorOrder + Set(x.tensors.keys).union(y.tensors.keys).sorted()
        let name = names.first { x.tensors[$0] != y.tensors[$0] } ?? ""
        return differs("tensor '\(name)'")
      }
      if x.model != y.model { return differs("the order of the tensors") }
      if x.accuracy != y.accuracy { return differs("the accuracy") }
      if x.loss != y.loss { return differs("the loss") }
      if x.trainingLoss != y.trainingLoss { return differs("the training loss") }
      if x.contributors != y.contributors { return differs("a site's training loss") }
      if x.rejected != y.rejected { return differs("whose updates were not used") }
    }
    if a.rounds.count != b.rounds.count {
      return RunDifference(
        round: min(a.rounds.count, b.rounds.count) + 1,
        what: "only one of the runs has it"
      )
    }
    for name in Set(a.curves.keys).union(b.curves.keys).sorted()
    where a.curves[name] != b.curves[name] {
      return RunDifference(round: 0, what: "the curve '\(name)'")
    }
    if a.results != b.results { return RunDifference(round: 0, what: "the results") }
    if a.modelDigest != b.modelDigest {
      return RunDifference(round: a.rounds.count, what: "the file model.safetensors")
    }
    return nil
  }
}
