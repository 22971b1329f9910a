internal import TesseraConfiguration

private let workflowKeys = ["job.yml/workflow", "job.yml/workflows"]
private let siteKeys = [
  "job.yml/sites", "data.yml/sites", "data.yml/tables", "data.yml/folders", "data.yml/images",
]

extension JobRule {
  /// Who takes part.
  static var siteRules: [JobRule] {
    [names, count, quorum, drawn, enough, aggregators, attackers]
  }

  private static var names: JobRule {
    JobRule(siteKeys) { terms in
      let key =
        switch terms.job.data.source {
        case .images: "sites"
        case .tables: "tables"
        case .folders: "folders"
        default: ""
        }
      guard !key.isEmpty else { return [] }
      if terms.siteNames.isEmpty {
        return [terms.dataFile.problem(at: key, "must name at least one site")]
      }
      var seen: [String: String] = [:]
      return terms.siteNames.compactMap { name in
        do {
          try Site.checkName(name)
        } catch {
          return terms.dataFile.problem(with: name, in: key, "\(error)")
        }
        guard let other = seen.updateValue(name, forKey: name.lowercased()) else { return nil }
        return terms.dataFile.problem(
          with: name,
          in: key,
          "the sites \(shown(other)) and \(shown(name)) must differ by more than capitals"
        )
      }
    }
  }

  private static var count: JobRule {
    JobRule(siteKeys) { terms in
      if case .divided = terms.job.data.source, terms.job.sites == nil {
        return [
          terms.problem(
            "sites",
            "needs the key 'sites': data.yml has one data set, and how many sites share it is not said"
          )
        ]
      }
      guard let sites = terms.job.sites, let count = terms.siteCount, sites != count else {
        return []
      }
      return [terms.problem("sites", "is \(sites), and data.yml has \(count)")]
    }
  }

  private static var quorum: JobRule {
    JobRule(siteKeys + ["job.yml/minimum_sites", "job.yml/mandatory_sites"]) { terms in
      guard let count = terms.siteCount else { return [] }
      let quorum = terms.job.quorum
      var problems: [ConfigurationError.Problem] = []
      if quorum.minimum > count {
        problems.append(
          terms.problem("minimum_sites", "must not be more than the \(count) sites")
        )
      }
      return problems
        + quorum.mandatory.sorted().flatMap { terms.missingSite($0, "mandatory_sites") }
    }
  }

  /// Sites that are needed where sites are drawn.
  private static var drawn: JobRule {
    JobRule(
      siteKeys + workflowKeys + ["job.yml/minimum_sites", "job.yml/mandatory_sites"]
    ) { terms in
      guard let count = terms.siteCount else { return [] }
      let quorum = terms.job.quorum
      var problems: [ConfigurationError.Problem] = []
      for (workflow, keyPath) in terms.workflows {
        guard workflow.tasks.contains(.train), let asked = workflow.askedSites(of: count),
          asked < count
        else { continue }
        if quorum.minimum > asked, quorum.minimum <= count {
          problems.append(
            terms.problem(
              "minimum_sites",
              "must not be more than the \(asked) sites that '\(keyPath)' asks in a round"
            )
          )
        }
        if !quorum.mandatory.isEmpty {
          problems.append(
            terms.problem(
              "\(keyPath).fraction",
              "must be 1 beside 'mandatory_sites': sites that are drawn may be others"
            )
          )
        }
      }
      return problems
    }
  }

  /// Rules of aggregation and workflows that need more sites than there are.
  private static var enough: JobRule {
    JobRule(siteKeys + workflowKeys) { terms in
      guard let count = terms.siteCount else { return [] }
      return terms.workflows.flatMap { workflow, keyPath -> [ConfigurationError.Problem] in
        if let fedBuff = workflow as? FedBuff, fedBuff.concurrency > count {
          return [
            terms.problem(
              "\(keyPath).concurrency",
              "must not be more than the \(count) sites, not \(fedBuff.concurrency)"
            )
          ]
        }
        guard let asked = workflow.askedSites(of: count),
          let rule = workflow.aggregationRule as? any CollectiveRule, rule.minimumUpdates > asked
        else { return [] }
        return [
          terms.problem(
            "\(keyPath).aggregation",
            "needs \(rule.minimumUpdates) updates, and \(asked) sites are asked in a round"
          )
        ]
      }
    }
  }

  private static var attackers: JobRule {
    JobRule(siteKeys + ["job.yml/executor"]) { terms in
      guard terms.siteCount != nil else { return [] }
      return terms.job.executor.attackers.sorted().flatMap {
        terms.missingSite($0, "executor.attackers.sites")
      }
    }
  }

  /// Sites that workflows name.
  private static var aggregators: JobRule {
    JobRule(siteKeys + workflowKeys) { terms in
      guard terms.siteCount != nil else { return [] }
      return terms.workflows.flatMap { workflow, keyPath -> [ConfigurationError.Problem] in
        if let swarm = workflow as? Swarm {
          return (swarm.aggregators ?? []).sorted().flatMap {
            terms.missingSite($0, "\(keyPath).aggregators")
          }
        }
        if let site = (workflow as? InitialWeights)?.site {
          return terms.missingSite(site, "\(keyPath).site")
        }
        return []
      }
    }
  }
}

extension Workflow {
  /// How many of so many sites a round asks to train, if it draws them.
  func askedSites(of count: Int) -> Int? {
    switch self {
    case let workflow as FedAvg: SiteSample.count(of: count, fraction: workflow.fraction)
    case let workflow as Scaffold: SiteSample.count(of: count, fraction: workflow.fraction)
    case let workflow as FedNova: SiteSample.count(of: count, fraction: workflow.fraction)
    case let workflow as Swarm: SiteSample.count(of: count, fraction: workflow.fraction)
    default: nil
    }
  }

  /// How updates become one, if a rule of the job's choice says so.
  var aggregationRule: (any AggregationRule)? {
    switch self {
    case let workflow as FedAvg: workflow.rule
    case let workflow as Scaffold: workflow.rule
    case let workflow as FedNova: workflow.rule
    default: nil
    }
  }

  /// How the server moves the model, if the job says so.
  var optimizerOfServer: (any ServerOptimizer)? {
    switch self {
    case let workflow as FedAvg: workflow.serverOptimizer
    case let workflow as Scaffold: workflow.serverOptimizer
    case let workflow as FedNova: workflow.serverOptimizer
    default: nil
    }
  }
}
