internal import TesseraConfiguration
internal import TesseraCore
internal import TesseraData
internal import TesseraNN

extension JobComponents {
  /// The share of each site's examples that is held out if a job measures models at the sites and says no other.
  static let usualHoldout = 0.2
}

/// Trains and measures image classifiers.
func classifier(
  _ arguments: Mapping,
  _ algorithms: Registry<any SiteAlgorithm>
) throws -> ExecutorRecipe {
  let epochs = try arguments.optional(
    "epochs",
    .integer(in: JobLimits.epochs),
    default: 1,
    help: "how often a site uses each example in a round"
  )
  let batch = try arguments.optional(
    "batch",
    .integer(in: JobLimits.batch),
    default: 64,
    help: "how many examples a step uses"
  )
  let rates = try arguments.section(
    "learning_rate",
    help: "the step size of SGD, with half a cosine between the first round and the last"
  ) { rates in
    try (
      first: rates.optional(
        "first",
        .number(in: 1e-9...1000),
        default: ImageExperiment.learningRates.first,
        help: "that of the first round"
      ),
      last: rates.optional(
        "last",
        .number(in: 1e-9...1000),
        default: ImageExperiment.learningRates.last,
        help: "that of the last"
      )
    )
  }
  let momentum = try arguments.optional(
    "momentum",
    .number(in: 0...0.9999),
    default: 0.9,
    help: "the share of a step that goes on in the next"
  )
  let clip = try arguments.optional(
    "gradient_norm",
    .number(in: 1e-9...1e9),
    default: 2,
    help: "the greatest norm of a step's gradient"
  )
  let algorithm = try arguments.component(
    "algorithm",
    from: algorithms,
    default: "plain",
    help: "what is trained from where, and what is answered"
  )
  let keepsModel = try arguments.optional(
    "keeps_local_model",
    .boolean,
    help: "remember each site's own model; by itself where a workflow asks for it"
  )
  let holdout = try arguments.optional(
    "holdout",
    .number(in: 0..<1),
    help: """
      the share of each site's examples that models are measured on, and not trained on; \
      \(JobComponents.usualHoldout) in jobs that measure at the sites, else 0
      """
  )
  let augments = try arguments.optional(
    "augment",
    .boolean,
    default: false,
    help: "move and mirror images at random"
  )
  let privacy = try arguments.optional(
    "private_sgd",
    .mapping { settings in
      let norm = try settings.required(
        "clip_norm",
        .number(above: 0),
        help: "the greatest norm of one example's gradient"
      )
      let level = try settings.required(
        "noise_multiplier",
        .noiseLevel(.number(above: 0)),
        help: "the noise's deviation over `clip_norm`, or as much as the budget needs"
      )
      return PrivateTrainingPlan(
        sgd: try PrivateSGD(clipNorm: norm, noiseMultiplier: level.known),
        isCalibrated: level == .calibrated,
        batchSize: batch,
        epochs: epochs,
        trainings: algorithm.trainings,
        holdout: holdout
      )
    },
    help: "train by DP-SGD, each example's gradient clipped for itself"
  )
  let attackers = try arguments.optional(
    "attackers",
    .mapping(Attackers.init),
    help: "sites that do not answer honestly, to try out what an aggregation withstands"
  )
  var recipe = ExecutorRecipe(
    passes: epochs,
    spendsPrivacy: privacy != nil,
    plannedEvents: { try privacy?.events(at: $0, $1) ?? [] }
  ) { resources in
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
      privateSGD: try privacy?.sgd(for: resources)
    ) { try network.make(format, $0) }
    let tasks = resources.workflow.tasks
    let share = holdout ?? (tasks.contains(.evaluate) ? JobComponents.usualHoldout : 0)
    let parts = try ClassifierExecutor.holdingOut(
      share,
      of: images.partition,
      key: resources.key["holdout"]
    )
    let executor = ClassifierExecutor(
      training: training,
      partition: parts.training,
      epochs: epochs,
      algorithm: algorithm,
      validation: share > 0 ? parts.validation : nil,
      keepsLocalModel: keepsModel ?? tasks.contains(.submitModel)
    )
    guard let attackers else { return executor }
    return ByzantineExecutor(
      executor,
      attackers: Set(images.sites.filter { attackers.names.contains($0.name) }.map(\.index)),
      attack: attackers.attack
    )
  }
  recipe.tasks = [.train, .evaluate, .initialize]
  if keepsModel != false { recipe.tasks?.insert(.submitModel) }
  recipe.data = .images
  recipe.needsModel = true
  recipe.algorithm = algorithm
  recipe.holdout = holdout
  recipe.privateSGD = privacy?.sgd
  recipe.attackers = attackers?.names ?? []
  return recipe
}

/// Sites that do not answer honestly.
private struct Attackers: Sendable {
  private enum Kind: String, CaseIterable, Sendable {
    case signFlip = "sign-flip"
    case noise
  }

  var names: Set<String>
  var attack: ByzantineExecutor.Attack

  init(_ attackers: Mapping) throws {
    names = Set(
      try attackers.required("sites", .list(of: .text, count: 1...), help: "their names")
    )
    let kind = try attackers.optional(
      "attack",
      Schema<Kind>.choice,
      default: .signFlip,
      help: "the opposite direction, or normally distributed noise"
    )
    let strength = try attackers.optional(
      "strength",
      .number(in: 0...1e6),
      default: 10,
      help: "how many times as far; of noise, its standard deviation"
    )
    switch kind {
    case .signFlip: attack = .signFlip(scale: strength)
    case .noise: attack = .noise(deviation: strength)
    }
  }
}
