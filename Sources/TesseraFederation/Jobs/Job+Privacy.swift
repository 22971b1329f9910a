internal import SystemPackage
internal import TesseraCore
internal import TesseraRun

/// Where the noise of a simulated job comes from.
public enum NoiseOrigin: String, Sendable, Hashable, CaseIterable {
  /// The job's seed: every run of the job has the same bits, and whoever knows the seed can take the noise away.
  case seed
  /// A secret that the run draws from the system's entropy and keeps in its folder: it goes on and is verified with the same
  /// bits, and whoever reads ``fileName`` can take the noise away.
  case secret

  /// The file of the secret in a run's folder; its owner alone can read it.
  public static let fileName = "noise.secret"

  static func file(in folder: FilePath) -> FilePath { folder.appending(fileName) }
}

extension Job {
  /// The file of the sites' privacy ledgers in a run's folder.
  public static let ledgerFileName = "privacy-ledgers.jsonl"

  /// Whether something at the sites makes their answers private, and can be counted.
  var sitesSpendPrivacy: Bool {
    executor.spendsPrivacy || siteFilters.results.contains { $0.unscoped is any PrivacySpending }
  }

  /// Whether the server, or all sites together, make what is aggregated private.
  var serverSpendsPrivacy: Bool {
    (workflow as? any PrivateWorkflow)?.makesReleasesPrivate == true
  }

  /// Refuses a budget that nothing is charged to, or that something would go past.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/invalidConfiguration``.
  func checkPrivacy() throws {
    guard privacy != nil else { return }
    func invalid(_ message: String) -> FederationError {
      FederationError(code: .invalidConfiguration, message: message)
    }
    guard sitesSpendPrivacy || serverSpendsPrivacy else {
      throw invalid("nothing in the job makes what it releases private")
    }
    if serverSpendsPrivacy {
      // Names what has no noise.
      try (workflow as? any PrivateWorkflow)?.requirePrivateReleases()
      let steps = workflow.steps.compactMap { $0 as? any PrivateWorkflow }
        .filter(\.makesReleasesPrivate)
      let replacing = steps.count { ($0 as? FedAvg)?.sampling == .withoutReplacement }
      guard replacing == 0 || replacing == steps.count else {
        throw invalid(
          """
          workflows with 'sampling: \(SiteDraw.Method.withoutReplacement.rawValue)' and others cannot be composed: \
          their neighbours are not the same
          """
        )
      }
    }
    guard sitesSpendPrivacy else { return }
    for part in (workflow as? WorkflowChain)?.workflows ?? [workflow] {
      switch part {
      case is CrossSiteEvaluation, is GlobalModelEvaluation, is BestModel:
        throw invalid(
          "'\(type(of: part))' asks sites for measurements of their data, which nothing makes private"
        )
      case is StatisticsWorkflow:
        throw invalid("'\(type(of: part))' asks sites for statistics, which nothing makes private")
      default: break
      }
    }
  }

  /// Whether the job's ε assumes that nobody knows which sites were drawn.
  var hasSecretDraw: Bool {
    privacy != nil && workflow.steps.contains { (($0 as? FedAvg)?.sampling ?? .fixed) != .fixed }
  }

  /// What a record says of the job's privacy beside its files.
  var privacyNotes: [String: String] {
    guard privacy != nil else { return [:] }
    var notes = [
      "noise": noise == .secret
        ? "from a secret in \(NoiseOrigin.fileName)"
        : "from the job's seed: it protects from no one"
    ]
    if sitesSpendPrivacy {
      notes["withheld"] = "what sites measure in training, and all free text of their answers"
    }
    if hasSecretDraw {
      notes["draw"] =
        "secret: the report does not say which sites took part; run.json and the journal do"
    }
    return notes
  }

  /// Where a run's secrets come from.
  ///
  /// - Throws: ``FederationError`` with code ``FederationError/Code/cannotResume`` if the secret cannot be kept, or is gone.
  func secrets(in record: RunRecord, key: RandomKey) throws -> SecretSource {
    guard noise == .secret else { return .reproducible(key) }
    if let secret { return .held(secret) }
    let file = NoiseOrigin.file(in: record.folder)
    if let secret = try HeldSecret.read(at: file) { return .held(secret) }
    guard try record.manifest().roundCount == 0 else {
      throw FederationError(
        code: .cannotResume,
        message: "\(file) is gone: the run cannot go on with the same noise"
      )
    }
    let secret = HeldSecret()
    try secret.write(to: file)
    return .held(secret)
  }
}
