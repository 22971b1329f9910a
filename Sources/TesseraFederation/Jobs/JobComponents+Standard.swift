internal import TesseraConfiguration
internal import TesseraData
internal import TesseraNN

extension JobComponents {
  /// Tessera's own components.
  public static let standard: JobComponents = {
    var components = JobComponents()
    components.registerRules()
    components.registerAlgorithms()
    components.registerWorkflows()
    components.registerOtherWorkflows()
    components.registerStatistics()
    components.registerFilters()
    components.registerExecutors()
    components.registerNetworks()
    components.registerPartitions()
    return components
  }()

  /// Adds what names other components: of those that there are when it is made.
  private mutating func add<Product>(
    to registry: any WritableKeyPath<JobComponents, Registry<Product>> & Sendable,
    _ name: String,
    summary: String,
    _ make:
      @escaping @Sendable (_ components: JobComponents, _ arguments: Mapping) throws -> Product
  ) {
    let before = self
    self[keyPath: registry].register(name, summary: summary) { try make(before, $0) }
    dependent.append { components in
      let now = components
      components[keyPath: registry].change(name) { try make(now, $0) }
    }
  }

  private mutating func registerWorkflows() {
    add(
      to: \.workflows,
      "fedavg",
      summary: "Federated averaging: sites train, and their aggregate is the next model."
    ) { components, arguments in
      let plan = FedAvgPlan(components)
      let common = try plan.read(arguments)
      let secure = try arguments.optional(
        "secure_aggregation",
        .secureAggregation,
        help: "mask the updates, so that the server learns their sum alone"
      )
      let sampling = try arguments.optional(
        "sampling",
        Schema<SiteDraw.Method>.choice,
        default: .fixed,
        help:
          "how the sites of a round are drawn; what is secret is taken off a privacy budget's account"
      )
      var workflow = try FedAvg(
        rounds: common.rounds,
        fraction: common.fraction,
        rule: common.rule,
        serverOptimizer: common.optimizer
      )
      workflow.secure = secure
      workflow.sampling = sampling
      try requireFit("aggregation", arguments) { try workflow.checkSecureAggregation() }
      try requireFit("sampling", arguments) { try workflow.checkSampling() }
      return workflow
    }
    add(
      to: \.workflows,
      "scaffold",
      summary: "SCAFFOLD's server, with the executor's algorithm of that name."
    ) { components, arguments in
      let plan = FedAvgPlan(components)
      let common = try plan.read(arguments)
      try refuseSecureAggregation("scaffold", arguments)
      try requireFit("aggregation", arguments) {
        try common.rule.requireFixedClipping(in: "scaffold")
      }
      return try Scaffold(
        rounds: common.rounds,
        fraction: common.fraction,
        rule: common.rule,
        serverOptimizer: common.optimizer
      )
    }
    add(
      to: \.workflows,
      "fednova",
      summary: "FedNova's server, with the executor's algorithm of that name."
    ) { components, arguments in
      let plan = FedAvgPlan(components)
      let common = try plan.read(arguments)
      try refuseSecureAggregation("fednova", arguments)
      try requireFit("aggregation", arguments) {
        try common.rule.requireFixedClipping(in: "fednova")
      }
      return try FedNova(
        rounds: common.rounds,
        fraction: common.fraction,
        rule: common.rule,
        serverOptimizer: common.optimizer
      )
    }
  }

  private mutating func registerExecutors() {
    add(
      to: \.executors,
      "classifier",
      summary: "Trains and measures image classifiers by SGD."
    ) { components, arguments in
      try classifier(arguments, components.algorithms)
    }
    executors.register(
      "external",
      summary: "Trains with a program, in Python or another language, that each site starts once."
    ) { try external($0) }
  }

  private mutating func registerNetworks() {
    networks.register(
      "image-classifier",
      summary: "A small convolutional network for square images."
    ) { _ in
      NetworkRecipe { images, generator in
        try ImageClassifier(
          channels: images.channels,
          size: images.size,
          classes: images.classes,
          using: generator
        )
      }
    }
    networks.register("linear", summary: "One linear layer: softmax regression.") { _ in
      NetworkRecipe { images, generator in
        try Sequential([
          Flatten(),
          Linear(
            images.channels * images.size * images.size,
            images.classes,
            using: generator
          ),
        ])
      }
    }
    networks.register("resnet18", summary: "ResNet-18 for small images, with batch normalisation.")
    { arguments in
      let width = try arguments.optional(
        "width",
        .integer(in: 8...256),
        default: 64,
        help: "channels of the first stage"
      )
      return NetworkRecipe { images, generator in
        try ResNet18(
          channels: images.channels,
          classes: images.classes,
          width: width,
          using: generator
        )
      }
    }
  }

  private mutating func registerPartitions() {
    partitions.register("iid", summary: "An even share of everything for each site.") { _ in .iid }
    partitions.register(
      "dirichlet",
      summary: "Of each class a share from a Dirichlet distribution."
    ) {
      arguments in
      .dirichlet(
        try arguments.optional(
          "alpha",
          .number(in: JobLimits.alpha),
          default: 0.5,
          help: "small is uneven, 100 nearly even"
        )
      )
    }
    partitions.register(
      "label-shards",
      summary:
        "A few shards of examples sorted by class: few classes at each site (McMahan et al., 2017)."
    ) { arguments in
      .labelShards(
        try arguments.optional(
          "shards",
          .integer(in: JobLimits.shards),
          default: 2,
          help: "how many each site gets"
        )
      )
    }
    partitions.register(
      "quantity",
      summary: "The same mixture everywhere, in amounts from a Dirichlet distribution."
    ) { arguments in
      .quantity(
        try arguments.optional(
          "alpha",
          .number(in: JobLimits.alpha),
          default: 0.5,
          help: "small is uneven, 100 nearly even"
        )
      )
    }
  }
}

/// What settings may be.
typealias JobLimits = ImageExperiment.Configuration.Limits

/// What `rounds` means.
let roundsHelp = "how many rounds there are at most"
/// What `fraction` means.
let fractionHelp = "the share of the sites that is asked in each round"

extension Schema where Value == Int {
  /// A number of rounds.
  static var rounds: Schema { .integer(in: JobLimits.rounds) }
}

extension Schema where Value == Double {
  /// A share of the sites.
  static var fraction: Schema { .number(in: JobLimits.fraction) }
}

/// Says of what a workflow refuses where it was written.
private func requireFit(_ key: String, _ arguments: Mapping, _ check: () throws -> Void) throws {
  do {
    try check()
  } catch let error as FederationError {
    throw arguments.error(at: key, "does not fit: \(error.message)")
  }
}

/// Refuses masks for a workflow whose server reads more than a sum.
private func refuseSecureAggregation(_ workflow: String, _ arguments: Mapping) throws {
  guard arguments.contains("secure_aggregation") else { return }
  throw arguments.error(at: "secure_aggregation", "is for 'fedavg', not for '\(workflow)'")
}

/// What workflows like federated averaging have in common.
private struct FedAvgPlan {
  var rules: Registry<any AggregationRule>
  var optimizers: Registry<any ServerOptimizer>

  init(_ components: JobComponents) {
    rules = components.rules
    optimizers = components.serverOptimizers
  }

  func read(
    _ arguments: Mapping
  ) throws -> (
    rounds: Int, fraction: Double, rule: any AggregationRule, optimizer: (any ServerOptimizer)?
  ) {
    try (
      rounds: arguments.required("rounds", .rounds, help: roundsHelp),
      fraction: arguments.optional("fraction", .fraction, default: 1, help: fractionHelp),
      rule: arguments.component(
        "aggregation",
        from: rules,
        default: "weighted-mean",
        help: "how updates become one"
      ),
      optimizer: arguments.optional(
        "server_optimizer",
        .component(from: optimizers),
        help: "how the server moves the model; to the aggregate if not given"
      )
    )
  }
}

extension Schema where Value == SecureAggregation {
  /// Masks, by their bounds.
  fileprivate static var secureAggregation: Schema {
    .mapping { settings in
      let standard = SecureAggregation()
      return SecureAggregation(
        bound: try settings.optional(
          "bound",
          .number(in: 1e-6...1e6),
          default: standard.bound,
          help: "the largest magnitude of an element"
        ),
        clips: try settings.optional(
          "clips",
          .boolean,
          default: standard.clips,
          help: "move elements beyond the bound to it, instead of refusing the update"
        ),
        noise: try settings.optional(
          "noise",
          .mapping { noise in
            try SecureAggregation.Noise(
              clipNorm: noise.required(
                "clip_norm",
                .number(above: 0),
                help: "the greatest Euclidean length of an update"
              ),
              multiplier: noise.required(
                "multiplier",
                .number(above: 0),
                help: "the deviation of the noise in the sum over `clip_norm`"
              )
            )
          },
          help: "noise that the sites add together, and no single party knows"
        )
      )
    }
  }
}

extension Schema where Value == GaussianMean.Adaptation? {
  /// `fixed`, or `adaptive` with or without its settings.
  static var clipping: Schema {
    var kinds = Registry<GaussianMean.Adaptation?>(of: "kind of clipping")
    kinds.register("fixed", summary: "The clip norm stays.") { _ in nil }
    kinds.register("adaptive", summary: "The clip norm follows a quantile of the updates' lengths.")
    {
      settings in
      let standard = GaussianMean.Adaptation()
      return try GaussianMean.Adaptation(
        targetQuantile: settings.optional(
          "quantile",
          .number(in: 0...1),
          default: standard.targetQuantile,
          help: "the share of updates that are shorter than the clip norm"
        ),
        learningRate: settings.optional(
          "learning_rate",
          .number,
          default: standard.learningRate,
          help: "how fast the clip norm follows"
        ),
        countDeviation: settings.optional(
          "count_deviation",
          .number,
          help: "the deviation of the noise on the share; by the number of sites if not given"
        )
      )
    }
    return .component(from: kinds)
  }
}
