internal import TesseraConfiguration
internal import TesseraCore

private let workflowKeys = ["job.yml/workflow", "job.yml/workflows"]
private let siteKeys = ["job.yml/sites", "data.yml/sites", "data.yml/tables", "data.yml/images"]

extension JobRule {
  /// Encryption, secure aggregation and privacy, and what they cannot be combined with.
  static var protectionRules: [JobRule] {
    [encryption, secureAggregation, sitePolicy, privacy, noiseOfFilters, noiseOfServer]
  }

  private static var encryption: JobRule {
    JobRule(workflowKeys + ["job.yml/encryption"]) { terms in
      guard terms.job.isEncrypted, let reason = terms.job.workflow.reasonAgainstEncryption else {
        return []
      }
      return [terms.problem("encryption", "is not possible: \(reason)")]
    }
  }

  private static var secureAggregation: JobRule {
    JobRule(workflowKeys + siteKeys + ["job.yml/filters"]) { terms in
      guard terms.job.workflow.isSecurelyAggregated else { return [] }
      var problems: [ConfigurationError.Problem] = []
      for (index, filter) in terms.job.siteFilters.results.enumerated()
      where filter.unscoped is Quantize || filter.unscoped is TopK {
        problems.append(
          terms.problem(
            "filters.site.results[\(index)]",
            "'\(filter.shownName)' leaves codes, and only numbers can be masked and added"
          )
        )
      }
      problems += terms.job.serverFilters.results.indices.map { index in
        terms.problem("filters.server.results[\(index)]", "cannot read answers that sites mask")
      }
      guard let count = terms.siteCount else { return problems }
      for (workflow, keyPath) in terms.workflows {
        guard let fedAvg = workflow as? FedAvg, let secure = fedAvg.secure else { continue }
        do {
          let asked = SiteSample.count(of: count, fraction: fedAvg.fraction)
          _ = try secure.assumptions.neighbourhood(of: asked)
        } catch {
          problems.append(terms.problem("\(keyPath).secure_aggregation", "\(error)"))
        }
      }
      return problems
    }
  }

  /// What sites demand of secure aggregation, and cannot have.
  private static var sitePolicy: JobRule {
    JobRule(workflowKeys + ["job.yml/site_policy"]) { terms in
      let policy = terms.job.sitePolicy
      guard policy != SecureAggregationPolicy() else { return [] }
      guard terms.job.workflow.isSecurelyAggregated else {
        return [
          terms.problem("site_policy", "is about secure aggregation, which the workflow has not")
        ]
      }
      let settings = terms.job.workflow.steps.compactMap { ($0 as? FedAvg)?.secure }
      guard policy.minimumNoiseMultiplier != nil, settings.contains(where: { $0.noise == nil })
      else { return [] }
      return [terms.problem("site_policy", "demands noise, and 'secure_aggregation' has none")]
    }
  }

  /// A budget that nothing is charged to, or that something would go past.
  private static var privacy: JobRule {
    JobRule(workflowKeys + ["job.yml/privacy", "job.yml/executor", "job.yml/filters"]) { terms in
      do {
        try terms.job.checkPrivacy()
        return []
      } catch {
        return [terms.problem("privacy", "\(error)")]
      }
    }
  }

  /// Filters whose noise cannot be counted against the budget, or spends it at once.
  private static var noiseOfFilters: JobRule {
    JobRule(["job.yml/privacy", "job.yml/filters"]) { terms in
      guard let budget = terms.job.privacy else { return [] }
      let filters = terms.job.siteFilters.results
      return filters.enumerated().flatMap { index, filter -> [ConfigurationError.Problem] in
        // What the sparse vector technique costs depends on the model.
        guard let filter = filter.unscoped as? any PrivacySpending, !(filter is SVTPrivacy) else {
          return []
        }
        do {
          let model = Exchange.weights(try ModelState([(name: "x", tensor: try Tensor([0.0]))]))
          let place = FilterContext(
            side: .site,
            direction: .result,
            site: nil,
            key: RandomKey(seed: 0)
          )
          let events = try filter.privacyEvents(
            for: model,
            in: place,
            after: Array(filters[..<index])
          )
          // What is calibrated keeps to the budget.
          let isCalibrated = (filter as? GaussianNoise)?.isCalibrated == true
          return isCalibrated ? [] : terms.overspending(events, budget)
        } catch {
          return [terms.problem("filters.site.results[\(index)]", "\(error)")]
        }
      }
    }
  }

  /// Noise of the server that spends the budget in the first round.
  private static var noiseOfServer: JobRule {
    JobRule(workflowKeys + siteKeys + ["job.yml/privacy"]) { terms in
      guard let budget = terms.job.privacy, let count = terms.siteCount,
        let fedAvg = terms.job.workflow as? FedAvg,
        fedAvg.secure == nil, let mean = fedAvg.rule as? GaussianMean,
        !mean.isCalibrated
      else { return [] }
      let draw = SiteDraw.planned(by: fedAvg.sampling, fraction: fedAvg.fraction, of: count)
      return terms.overspending(mean.events(for: draw), budget)
    }
  }
}

extension JobTerms {
  /// That the first round would spend more than the budget, if so.
  fileprivate func overspending(
    _ events: [PrivacyEvent],
    _ budget: PrivacyBudget
  ) -> [ConfigurationError.Problem] {
    var ledger = BudgetLedger(owner: "the job", budget: budget)
    do {
      try ledger.charge(.init(id: "1", round: 1, purpose: "the first round", events: events))
      return []
    } catch {
      return [problem("privacy", "is too small for a single round: \(error)")]
    }
  }
}
