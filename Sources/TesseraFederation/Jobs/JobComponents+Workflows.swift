internal import TesseraConfiguration

extension JobComponents {
  /// Workflows that are no federated averaging, under their names.
  mutating func registerOtherWorkflows() {
    workflows.register(
      "cyclic",
      summary: "The model travels from site to site, and each trains it."
    ) { arguments in
      try CyclicTransfer(
        rounds: arguments.required("rounds", .rounds, help: roundsHelp),
        order: arguments.optional(
          "order",
          .choice,
          default: .fixed,
          help: "whether each round has an order of its own"
        ),
        fraction: arguments.optional("fraction", .fraction, default: 1, help: fractionHelp)
      )
    }
    workflows.register(
      "cross-site-evaluation",
      summary: "Measures every site's model on every site's data."
    ) { arguments in
      CrossSiteEvaluation(
        includesGlobalModel: try arguments.optional(
          "global_model",
          .boolean,
          default: true,
          help: "measure the global model, too"
        )
      )
    }
    workflows.register(
      "global-evaluation",
      summary: "Measures the global model on every site's data."
    ) { _ in GlobalModelEvaluation() }
    workflows.register("initial-weights", summary: "Takes the first model from a site.") {
      arguments in
      InitialWeights(
        from: try arguments.optional(
          "site",
          .text,
          help: "its name; the first that answers if not given"
        )
      )
    }
    workflows.register("swarm", summary: "Each round another site aggregates, drawn by chance.") {
      arguments in
      try Swarm(
        rounds: arguments.required("rounds", .rounds, help: roundsHelp),
        fraction: arguments.optional("fraction", .fraction, default: 1, help: fractionHelp),
        aggregators: arguments.optional(
          "aggregators",
          .list(of: .text, count: 1...),
          help: "names of the sites that may aggregate; all if not given"
        ).map { Set($0) }
      )
    }
    workflows.register(
      "fedbuff",
      summary:
        "Asynchronous: updates count when they come, less if they are stale (Nguyen et al., 2022)."
    ) { arguments in
      try FedBuff(
        rounds: arguments.required("rounds", .rounds, help: roundsHelp),
        bufferSize: arguments.optional(
          "buffer_size",
          .integer(in: 1...1_000_000),
          default: 10,
          help: "how many updates make a new model"
        ),
        concurrency: arguments.required(
          "concurrency",
          .integer(in: 1...1_000_000),
          help: "how many sites are at work at a time"
        ),
        learningRate: arguments.optional(
          "learning_rate",
          .number(above: 0),
          default: 1,
          help: "the server's step along the mean update"
        ),
        maximumStaleness: arguments.optional(
          "maximum_staleness",
          .integer(in: 0...1_000_000),
          help: "updates of models older by more rounds are refused"
        )
      )
    }
    workflows.register(
      "statistics",
      summary: "What the sites' tables look like, without showing a row."
    ) { arguments in
      let bins = Schema<StatisticsWorkflow.Bins>.mapping { bins in
        StatisticsWorkflow.Bins(
          try bins.required("count", .integer(in: 1...10_000), help: "how many"),
          from: try bins.optional(
            "from",
            .number,
            help: "where the first begins; by the sites' noised ranges if not given"
          ),
          to: try bins.optional(
            "to",
            .number,
            help: "where the last ends; by the sites' noised ranges if not given"
          )
        )
      }
      return try StatisticsWorkflow(
        features: arguments.optional(
          "features",
          .list(of: .text, count: 1...),
          help: "names of columns; all if not given"
        ),
        bins: Dictionary(
          arguments.optional(
            "bins",
            .named(bins),
            default: [],
            help: "the histograms of single columns"
          ).map { ($0.name, $0.value) }
        ) { first, _ in first },
        otherBins: arguments.optional(
          "other_bins",
          bins,
          help: "the histograms of all other columns; none if not given"
        ),
        quantiles: arguments.optional(
          "quantiles",
          .list(of: .number(in: 0...1)),
          default: [],
          help: "the shares of values whose quantiles are wanted"
        )
      )
    }
  }

  /// The workflows that a job can name: all that are registered, a program's own among them, and the best model of one.
  var workflowsOfJobs: Registry<any Workflow> {
    let trainings = workflows
    let name = "best-model"
    // A program may have another of that name.
    guard !trainings.names.contains(name) else { return trainings }
    var all = trainings
    all.register(
      name,
      summary: "A training that ends with the best of its models, by what sites measure."
    ) { arguments in
      let training = try arguments.required(
        "of",
        .component(from: trainings),
        help: "the training: a workflow"
      )
      let metric = try arguments.optional(
        "metric",
        .text,
        default: "accuracy",
        help: "what the models are compared by: the sites' mean, by their examples"
      )
      let goal = try arguments.optional(
        "goal",
        Schema<BestModel.Goal>.choice,
        help:
          "which values are better; the lowest of a `loss`, and the highest of all else, if not given"
      )
      let patience = try arguments.optional(
        "patience",
        .integer(in: JobLimits.rounds),
        help: "after how many rounds without a better model the training ends; never if not given"
      )
      do {
        return try BestModel(
          of: training,
          by: metric,
          goal: goal ?? (metric == "loss" ? .lowest : .highest),
          patience: patience
        )
      } catch let error as FederationError {
        throw arguments.error(at: "of", error.message)
      }
    }
    return all
  }

  /// The executor for statistics.
  mutating func registerStatistics() {
    executors.register(
      "statistics",
      summary: "Counts what a site's table holds, under rules against re-identification."
    ) { arguments in
      let group = try arguments.optional(
        "group_by",
        .text,
        help: "a column whose values divide the rows into groups"
      )
      let standard = StatisticsRules()
      let rules = try StatisticsRules(
        minimumCount: arguments.optional(
          "minimum_count",
          .integer(in: 1...1_000_000),
          default: standard.minimumCount,
          help: "nothing is shown of fewer rows"
        ),
        maximumBinShare: arguments.optional(
          "maximum_bin_share",
          .number(in: 0...1),
          default: standard.maximumBinShare,
          help: "a histogram has at most this share of the rows as bins"
        ),
        smallestBin: arguments.optional(
          "smallest_bin",
          .integer(in: 0...1_000_000),
          default: standard.smallestBin,
          help: "bins of fewer rows are shown empty"
        ),
        hidesComplements: arguments.optional(
          "hide_complements",
          .boolean,
          default: standard.hidesComplements,
          help:
            "keep the smallest of the other groups back too where few rows would follow from the total"
        )
      )
      var recipe = ExecutorRecipe { resources in
        guard case .tables(let tables) = resources.data else {
          throw FederationError(
            code: .invalidConfiguration,
            message: "the executor 'statistics' needs tables"
          )
        }
        let read = try tables.reduce(into: [:]) {
          $0[$1.site.index] = try DataTable.read($1.file, groupedBy: group)
        }
        // A simulation whose bits must repeat keeps nothing from the one who runs it.
        return StatisticsExecutor(rules: rules, noise: .reproducible) { site in
          read[site.index] ?? [:]
        }
      }
      recipe.tasks = [.statistics]
      recipe.data = .tables
      return recipe
    }
  }
}
