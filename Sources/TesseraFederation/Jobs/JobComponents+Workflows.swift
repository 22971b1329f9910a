internal import TesseraConfiguration

extension JobComponents {
  /// Workflows that are no federated averaging, under their names.
  mutating func registerOtherWorkflows() {
    workflows.register("cyclic") { arguments in
      try CyclicTransfer(
        rounds: arguments.required("rounds", .rounds),
        order: arguments.optional("order", .choice, default: .fixed),
        fraction: arguments.optional("fraction", .fraction, default: 1)
      )
    }
    workflows.register("cross-site-evaluation") { arguments in
      CrossSiteEvaluation(
        includesGlobalModel: try arguments.optional("global_model", .boolean, default: true)
      )
    }
    workflows.register("global-evaluation") { _ in GlobalModelEvaluation() }
    workflows.register("initial-weights") { arguments in
      InitialWeights(from: try arguments.optional("site", .text))
    }
    workflows.register("swarm") { arguments in
      try Swarm(
        rounds: arguments.required("rounds", .rounds),
        fraction: arguments.optional("fraction", .fraction, default: 1),
        aggregators: arguments.optional("aggregators", .list(of: .text, count: 1...)).map {
          Set($0)
        }
      )
    }
    workflows.register("fedbuff") { arguments in
      try FedBuff(
        rounds: arguments.required("rounds", .rounds),
        bufferSize: arguments.optional("buffer_size", .integer(in: 1...1_000_000), default: 10),
        concurrency: arguments.required("concurrency", .integer(in: 1...1_000_000)),
        learningRate: arguments.optional("learning_rate", .number, default: 1),
        maximumStaleness: arguments.optional("maximum_staleness", .integer(in: 0...1_000_000))
      )
    }
    workflows.register("statistics") { arguments in
      let bins = Schema<StatisticsWorkflow.Bins>.mapping { bins in
        StatisticsWorkflow.Bins(
          try bins.required("count", .integer(in: 1...10_000)),
          from: try bins.optional("from", .number),
          to: try bins.optional("to", .number)
        )
      }
      return try StatisticsWorkflow(
        features: arguments.optional("features", .list(of: .text, count: 1...)),
        bins: Dictionary(
          arguments.optional("bins", .named(bins), default: []).map { ($0.name, $0.value) }
        ) { first, _ in first },
        otherBins: arguments.optional("other_bins", bins),
        quantiles: arguments.optional("quantiles", .list(of: .number(in: 0...1)), default: [])
      )
    }
  }

  /// The executor for statistics.
  mutating func registerStatistics() {
    executors.register("statistics") { arguments in
      let group = try arguments.optional("group_by", .text)
      let standard = StatisticsRules()
      let rules = try StatisticsRules(
        minimumCount: arguments.optional(
          "minimum_count",
          .integer(in: 1...1_000_000),
          default: standard.minimumCount
        ),
        maximumBinShare: arguments.optional(
          "maximum_bin_share",
          .number(in: 0...1),
          default: standard.maximumBinShare
        ),
        smallestBin: arguments.optional(
          "smallest_bin",
          .integer(in: 0...1_000_000),
          default: standard.smallestBin
        ),
        hidesComplements: arguments.optional(
          "hide_complements",
          .boolean,
          default: standard.hidesComplements
        )
      )
      return ExecutorRecipe { resources in
        guard case .tables(let tables) = resources.data else {
          throw FederationError(
            code: .invalidConfiguration,
            message: "the executor 'statistics' needs tables"
          )
        }
        let read = try tables.map { try DataTable.read($0.file, groupedBy: group) }
        // A simulation whose bits must repeat keeps nothing from the one who runs it.
        return StatisticsExecutor(rules: rules, noise: .reproducible) { site in
          guard read.indices.contains(site.index) else { return [:] }
          return read[site.index]
        }
      }
    }
  }
}
