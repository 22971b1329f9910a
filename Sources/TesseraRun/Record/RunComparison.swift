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

  /// The first difference in what the runs computed, or `nil` if they are identical.
  ///
  /// Tensors are compared in the order of `tensorOrder`. Times and versions are not compared.
  public static func first(
    between a: RunManifest,
    and b: RunManifest,
    tensorOrder: [String]
  ) -> RunDifference? {
    if a.datasets != b.datasets { return RunDifference(round: 0, what: "the data sets") }
    if a.sites != b.sites { return RunDifference(round: 0, what: "the division among sites") }
    if a.initialModel != b.initialModel {
      return RunDifference(round: 0, what: "the initial model")
    }
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
    if a.modelDigest != b.modelDigest {
      return RunDifference(round: a.rounds.count, what: "the file model.safetensors")
    }
    return nil
  }
}
