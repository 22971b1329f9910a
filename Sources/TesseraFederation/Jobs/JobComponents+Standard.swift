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

  private mutating func registerRules() {
    rules.register("weighted-mean") { _ in WeightedMean() }
    rules.register("median") { _ in .median }
    rules.register("trimmed-mean") { arguments in
      try .trimmedMean(arguments.optional("share", .number, default: 0.2))
    }
    rules.register("krum") { arguments in
      try .krum(byzantine: arguments.required("byzantine", .integer(in: 0...)))
    }
    rules.register("multi-krum") { arguments in
      try .multiKrum(
        byzantine: arguments.required("byzantine", .integer(in: 0...)),
        keeping: arguments.required("keeping", .integer(in: 1...))
      )
    }
    rules.register("bulyan") { arguments in
      try .bulyan(byzantine: arguments.required("byzantine", .integer(in: 0...)))
    }
    rules.register("geometric-median") { arguments in
      try .geometricMedian(
        smoothing: arguments.optional("smoothing", .number, default: 1e-6),
        steps: arguments.optional("steps", .integer(in: 1...), default: 100),
        tolerance: arguments.optional("tolerance", .number, default: 1e-10)
      )
    }
    rules.register(GaussianMean.name) { arguments in
      try .gaussianMean(
        clipNorm: arguments.required("clip_norm", .number),
        noiseMultiplier: arguments.required("noise_multiplier", .number),
        adaptive: arguments.optional("clip", .clipping, default: nil)
      )
    }
    rules.register("norm-bound") { arguments in
      if let factor = try arguments.optional("times_norm_of_model", .number) {
        return try .normBound(timesNormOfModel: factor)
      }
      return try .normBound(arguments.required("bound", .number))
    }
  }

  private mutating func registerWorkflows() {
    let plan = FedAvgPlan(rules: rules, optimizers: serverOptimizers)
    workflows.register("fedavg") { arguments in
      let common = try plan.read(arguments)
      var workflow = try FedAvg(
        rounds: common.rounds,
        fraction: common.fraction,
        rule: common.rule,
        serverOptimizer: common.optimizer
      )
      workflow.secure = try arguments.optional("secure_aggregation", .secureAggregation)
      workflow.sampling = try arguments.optional("sampling", .choice, default: .fixed)
      do {
        try workflow.checkSecureAggregation()
      } catch let error as FederationError {
        throw arguments.error(at: "aggregation", "does not fit: \(error.message)")
      }
      return workflow
    }
    workflows.register("scaffold") { arguments in
      let common = try plan.read(arguments)
      try refuseSecureAggregation("scaffold", arguments)
      return try Scaffold(
        rounds: common.rounds,
        fraction: common.fraction,
        rule: common.rule,
        serverOptimizer: common.optimizer
      )
    }
    workflows.register("fednova") { arguments in
      let common = try plan.read(arguments)
      try refuseSecureAggregation("fednova", arguments)
      return try FedNova(
        rounds: common.rounds,
        fraction: common.fraction,
        rule: common.rule,
        serverOptimizer: common.optimizer
      )
    }
  }

  private mutating func registerAlgorithms() {
    serverOptimizers.register("sgd") { arguments in
      try ServerSGD(
        learningRate: arguments.optional("learning_rate", .number, default: 1),
        momentum: arguments.optional("momentum", .number, default: 0.9)
      )
    }
    typealias Maker =
      @Sendable (_ rate: Double, _ beta1: Double, _ tau: Double) throws
      -> any ServerOptimizer
    func register(_ name: String, beta1: Double, _ make: @escaping Maker) {
      serverOptimizers.register(name) { arguments in
        try make(
          arguments.optional("learning_rate", .number, default: 0.01),
          arguments.optional("beta1", .number, default: beta1),
          arguments.optional("tau", .number, default: 1e-3)
        )
      }
    }
    register("adam", beta1: 0.9) { try .adam(learningRate: $0, beta1: $1, tau: $2) }
    register("adagrad", beta1: 0) { try .adagrad(learningRate: $0, beta1: $1, tau: $2) }
    register("yogi", beta1: 0.9) { try .yogi(learningRate: $0, beta1: $1, tau: $2) }
    algorithms.register("plain") { _ in .plain }
    algorithms.register("fedprox") { arguments in
      try .fedProx(mu: arguments.optional("mu", .number, default: 0.1))
    }
    algorithms.register("ditto") { arguments in
      try .ditto(lambda: arguments.optional("lambda", .number, default: 0.1))
    }
    algorithms.register("fedbn") { arguments in
      try .fedBN(names: arguments.required("names", .list(of: .text, count: 1...)))
    }
    algorithms.register("scaffold") { _ in .scaffold }
    algorithms.register("fednova") { _ in .fedNova }
  }

  private mutating func registerExecutors() {
    let algorithms = algorithms
    executors.register("classifier") { try classifier($0, algorithms) }
  }

  private mutating func registerNetworks() {
    networks.register("image-classifier") { _ in
      NetworkRecipe { images, generator in
        try ImageClassifier(
          channels: images.channels,
          size: images.size,
          classes: images.classes,
          using: generator
        )
      }
    }
    networks.register("linear") { _ in
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
    networks.register("resnet18") { arguments in
      let width = try arguments.optional("width", .integer(in: 8...256), default: 64)
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
    partitions.register("iid") { _ in .iid }
    partitions.register("dirichlet") { arguments in
      .dirichlet(try arguments.optional("alpha", .number(in: Limits.alpha), default: 0.5))
    }
    partitions.register("label-shards") { arguments in
      .labelShards(try arguments.optional("shards", .integer(in: Limits.shards), default: 2))
    }
    partitions.register("quantity") { arguments in
      .quantity(try arguments.optional("alpha", .number(in: Limits.alpha), default: 0.5))
    }
  }
}

private typealias Limits = ImageExperiment.Configuration.Limits

/// Trains and measures image classifiers.
private func classifier(
  _ arguments: Mapping,
  _ algorithms: Registry<any SiteAlgorithm>
) throws -> ExecutorRecipe {
  let epochs = try arguments.optional("epochs", .integer(in: Limits.epochs), default: 1)
  let batch = try arguments.optional("batch", .integer(in: Limits.batch), default: 64)
  let rates = try arguments.optional(
    "learning_rate",
    .mapping { rates in
      try (
        first: rates.required("first", .number(in: 1e-9...1000)),
        last: rates.required("last", .number(in: 1e-9...1000))
      )
    },
    default: ImageExperiment.learningRates
  )
  let momentum = try arguments.optional("momentum", .number(in: 0...0.9999), default: 0.9)
  let clip = try arguments.optional("gradient_norm", .number(in: 1e-9...1e9), default: 2)
  let algorithm = try arguments.optional(
    "algorithm",
    .component(from: algorithms),
    default: .plain
  )
  let keepsModel = try arguments.optional("keeps_local_model", .boolean, default: false)
  let augments = try arguments.optional("augment", .boolean, default: false)
  let privateSGD = try arguments.optional(
    "private_sgd",
    .mapping { settings in
      try PrivateSGD(
        clipNorm: settings.required("clip_norm", .number),
        noiseMultiplier: settings.required("noise_multiplier", .number)
      )
    }
  )
  return ExecutorRecipe(passes: epochs, spendsPrivacy: privateSGD != nil) { resources in
    guard case .images(let images) = resources.data, let network = resources.network else {
      throw FederationError(
        code: .invalidConfiguration,
        message: "the executor 'classifier' needs images and a model"
      )
    }
    let format = images.format
    let training = ClassifierTraining(
      dataset: images.train,
      batchSize: batch,
      learningRate: .cosine(from: rates.first, to: rates.last, over: max(resources.rounds - 1, 1)),
      momentum: momentum,
      gradientNorm: clip,
      transforms: augments
        ? [RandomCrop(padding: max(1, format.size / 14)), RandomHorizontalFlip()] : [],
      privateSGD: privateSGD
    ) { try network.make(format, $0) }
    return ClassifierExecutor(
      training: training,
      partition: images.partition,
      epochs: epochs,
      algorithm: algorithm,
      keepsLocalModel: keepsModel
    )
  }
}

extension Schema where Value == Int {
  /// A number of rounds.
  static var rounds: Schema { .integer(in: Limits.rounds) }
}

extension Schema where Value == Double {
  /// A share of the sites.
  static var fraction: Schema { .number(in: Limits.fraction) }
}

/// Refuses masks for a workflow whose server reads more than a sum.
private func refuseSecureAggregation(_ workflow: String, _ arguments: Mapping) throws {
  if try arguments.optional("secure_aggregation", .secureAggregation) != nil {
    throw arguments.error(at: "secure_aggregation", "is for 'fedavg', not for '\(workflow)'")
  }
}

/// What workflows like federated averaging have in common.
private struct FedAvgPlan {
  var rules: Registry<any AggregationRule>
  var optimizers: Registry<any ServerOptimizer>

  func read(
    _ arguments: Mapping
  ) throws -> (
    rounds: Int, fraction: Double, rule: any AggregationRule, optimizer: (any ServerOptimizer)?
  ) {
    try (
      rounds: arguments.required("rounds", .rounds),
      fraction: arguments.optional("fraction", .fraction, default: 1),
      rule: arguments.optional("aggregation", .component(from: rules), default: WeightedMean()),
      optimizer: arguments.optional("server_optimizer", .component(from: optimizers))
    )
  }
}

extension Schema where Value == GaussianMean.Adaptation? {
  /// `fixed`, or `adaptive` with or without its settings.
  fileprivate static var clipping: Schema {
    var kinds = Registry<GaussianMean.Adaptation?>(of: "kind of clipping")
    kinds.register("fixed") { _ in nil }
    kinds.register("adaptive") { settings in
      let standard = GaussianMean.Adaptation()
      return try GaussianMean.Adaptation(
        targetQuantile: settings.optional(
          "quantile",
          .number(in: 0...1),
          default: standard.targetQuantile
        ),
        learningRate: settings.optional("learning_rate", .number, default: standard.learningRate),
        countDeviation: settings.optional("count_deviation", .number)
      )
    }
    return .component(from: kinds)
  }
}

extension Schema where Value == SecureAggregation {
  /// Masks, by their bounds.
  fileprivate static var secureAggregation: Schema {
    .mapping { settings in
      SecureAggregation(
        bound: try settings.optional("bound", .number(in: 1e-6...1e6), default: 64),
        clips: try settings.optional("clips", .boolean, default: false),
        noise: try settings.optional(
          "noise",
          .mapping { noise in
            try SecureAggregation.Noise(
              clipNorm: noise.required("clip_norm", .number),
              multiplier: noise.required("multiplier", .number)
            )
          }
        )
      )
    }
  }
}
