/// Where two runs differ first.
public struct RunDifference: Sendable, Equatable, CustomStringConvertible {
  /// The name of the training, if it is one's.
  public var training: String?
  /// The round, from 1; 0 for what comes before the first.
  public var round: Int
  /// What differs: a tensor's name, or a field of the record.
  public var what: String
  /// The result that differs, if it is one that is no model: who has both can say where.
  public var document: String?

  /// Makes a difference.
  public init(training: String? = nil, round: Int, what: String, document: String? = nil) {
    self.document = document
    self.training = training
    self.round = round
    self.what = what
  }

  /// `fedavg, round 3: tensor 'conv1.weight'`.
  public var description: String {
    let place = [training, round == 0 ? nil : "round \(round)"].compactMap { $0 }
    return place.isEmpty ? what : "\(place.joined(separator: ", ")): \(what)"
  }

  /// The first difference in what the runs started from, or `nil` if there is none: their settings, data and first model.
  ///
  /// How many lanes there are, and where the data lie, is not compared; nor is what only one of them has noted, as a job of a
  /// deployment, whose server does not see the data.
  public static func beforeTraining(_ a: RunManifest, _ b: RunManifest) -> RunDifference? {
    func differs(_ what: String) -> RunDifference { RunDifference(round: 0, what: what) }
    // The job's id at its server; and what says where a simulation's data are.
    let isDeployed = a.configuration["job"] != nil || b.configuration["job"] != nil
    let settings = Set(a.configuration.keys).union(b.configuration.keys).subtracting([
      "lanes", "data", "folder", "job", isDeployed ? "data.yml" : "",
    ])
    for name in settings.sorted() where a.configuration[name] != b.configuration[name] {
      return differs("the setting '\(name)'")
    }
    if a.seed != b.seed { return differs("the seed") }
    if let what = differingFiles(a, b) { return differs(what) }
    if a.classNames != b.classNames, !isDeployed { return differs("the data sets") }
    if !hasSameSites(a, b, isDeployed: isDeployed) { return differs("the division among sites") }
    if a.initialModel != b.initialModel { return differs("the initial model") }
    if a.trainings.map(\.name) != b.trainings.map(\.name) { return differs("the trainings") }
    for (x, y) in zip(a.trainings, b.trainings) {
      for name in Set(x.settings.keys).union(y.settings.keys).sorted()
      where x.settings[name] != y.settings[name] {
        return differs("the setting '\(name)' of \(x.name)")
      }
    }
    return nil
  }

  /// Whether the same sites take part, with as many examples; of a deployment nobody knows of which classes.
  private static func hasSameSites(
    _ a: RunManifest,
    _ b: RunManifest,
    isDeployed: Bool
  ) -> Bool {
    guard isDeployed else { return a.sites == b.sites }
    return a.sites.map(\.name) == b.sites.map(\.name)
      && a.sites.map(\.examples) == b.sites.map(\.examples)
  }

  /// The first data set, or file of the job's, that differs; what only one of the runs has noted cannot.
  private static func differingFiles(_ a: RunManifest, _ b: RunManifest) -> String? {
    if let a = a.programs, let b = b.programs,
      let file = Set(a.keys).union(b.keys).sorted().first(where: { a[$0] != b[$0] })
    {
      let change = a[file] == nil ? "is new" : b[file] == nil ? "is gone" : "was changed"
      return "the job's file '\(file)' \(change)"
    }
    if a.datasets.isEmpty || b.datasets.isEmpty { return nil }
    guard a.datasets.map(\.name) == b.datasets.map(\.name) else { return "the data sets" }
    return zip(a.datasets, b.datasets).first { $0 != $1 }.map { "the data set '\($0.0.name)'" }
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
    for (x, y) in zip(a.trainings, b.trainings) {
      if let difference = first(between: x, and: y, tensorOrder: tensorOrder) { return difference }
    }
    for name in Set(a.curves.keys).union(b.curves.keys).sorted()
    where a.curves[name] != b.curves[name] {
      return RunDifference(round: 0, what: "the curve '\(name)'")
    }
    if a.results != b.results { return RunDifference(round: 0, what: "the results") }
    return nil
  }

  /// The first difference between two trainings, or `nil` if there is none.
  private static func first(
    between a: RunManifest.Training,
    and b: RunManifest.Training,
    tensorOrder: [String]
  ) -> RunDifference? {
    for (x, y) in zip(a.rounds, b.rounds) {
      if let what = difference(x, y, tensorOrder: tensorOrder) {
        return RunDifference(training: a.name, round: x.round, what: what)
      }
      if let name = differing(x.documents, y.documents) {
        return RunDifference(
          training: a.name,
          round: x.round,
          what: "the result '\(name)'",
          document: name
        )
      }
      if let site = differing(x.siteMemories, y.siteMemories) {
        return RunDifference(training: a.name, round: x.round, what: "what '\(site)' remembers")
      }
    }
    if a.rounds.count != b.rounds.count {
      return RunDifference(
        training: a.name,
        round: min(a.rounds.count, b.rounds.count) + 1,
        what: "only one of the runs has it"
      )
    }
    if a.modelDigest != b.modelDigest {
      return RunDifference(training: a.name, round: a.rounds.count, what: "the model's file")
    }
    return nil
  }

  /// The first name under which two tables differ; what only one of the versions has noted cannot.
  private static func differing(_ a: [String: String]?, _ b: [String: String]?) -> String? {
    guard let a, let b else { return nil }
    return Set(a.keys).union(b.keys).sorted().first { a[$0] != b[$0] }
  }

  private static func difference(
    _ x: RunManifest.Round,
    _ y: RunManifest.Round,
    tensorOrder: [String]
  ) -> String? {
    if x.round != y.round { return "the number of the round" }
    if x.contributors.map(\.site) != y.contributors.map(\.site)
      || x.contributors.map(\.weight) != y.contributors.map(\.weight)
    {
      return "who contributed"
    }
    if x.tensors != y.tensors {
      let names = tensorOrder + Set(x.tensors.keys).union(y.tensors.keys).sorted()
      let name = names.first { x.tensors[$0] != y.tensors[$0] } ?? ""
      return "tensor '\(name)'"
    }
    if x.model != y.model { return "the order of the tensors" }
    if x.memory != y.memory { return "what the workflow keeps" }
    if x.accuracy != y.accuracy { return "the accuracy" }
    if x.loss != y.loss { return "the loss" }
    if x.trainingLoss != y.trainingLoss { return "the training loss" }
    if x.contributors != y.contributors { return "a site's measurements" }
    if x.rejected != y.rejected { return "whose updates were not used" }
    if x.epsilon != y.epsilon { return "what the privacy budget was spent on" }
    return nil
  }
}
