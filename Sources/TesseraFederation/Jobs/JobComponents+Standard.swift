internal import TesseraConfiguration
internal import TesseraData
internal import TesseraNN

extension JobComponents {
  /// Tessera's own components.
  public static let standard: JobComponents = {
    var components = JobComponents()
    components.registerRules()
    components.registerWorkflows()
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
    rules.register("norm-bound") { arguments in
      if let factor = try arguments.optional("times_norm_of_model", .number) {
        return try .normBound(timesNormOfModel: factor)
      }
      return try .normBound(arguments.required("bound", .number))
    }
  }

  private mutating func registerWorkflows() {
    let rules = rules
    workflows.register("fedavg") { arguments in
      try FedAvg(
        rounds: arguments.required("rounds", .rounds),
        fraction: arguments.optional("fraction", .fraction, default: 1),
        rule: arguments.optional("aggregation", .component(from: rules), default: WeightedMean())
      )
    }
  }

  private mutating func registerExecutors() {
    executors.register("classifier") { try classifier($0) }
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
private func classifier(_ arguments: Mapping) throws -> ExecutorRecipe {
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
  let augments = try arguments.optional("augment", .boolean, default: false)
  return ExecutorRecipe(passes: epochs) { resources in
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
        ? [RandomCrop(padding: max(1, format.size / 14)), RandomHorizontalFlip()] : []
    ) { try network.make(format, $0) }
    return ClassifierExecutor(
      training: training,
      partition: images.partition,
      epochs: epochs
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
