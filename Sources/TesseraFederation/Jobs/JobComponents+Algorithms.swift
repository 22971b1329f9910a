internal import TesseraConfiguration

extension JobComponents {
  /// Ways to make one update of several.
  mutating func registerRules() {
    rules.register("weighted-mean", summary: "The mean, weighed by the numbers of examples.") { _ in
      WeightedMean()
    }
    rules.register("median", summary: "The median of each element (Yin et al., 2018).") { _ in
      .median
    }
    rules.register("trimmed-mean", summary: "Each element's mean without the extremes.") {
      arguments in
      try .trimmedMean(
        arguments.optional(
          "share",
          .number(in: 0..<0.5),
          default: 0.2,
          help: "the share that is dropped at each end"
        )
      )
    }
    let hostile = "how many sites may be hostile"
    rules.register("krum", summary: "The update that is nearest to its neighbours.") { arguments in
      try .krum(byzantine: arguments.required("byzantine", .byzantine, help: hostile))
    }
    rules.register("multi-krum", summary: "The mean of those nearest to their neighbours.") {
      arguments in
      try .multiKrum(
        byzantine: arguments.required("byzantine", .byzantine, help: hostile),
        keeping: arguments.required(
          "keeping",
          .integer(in: 1...1_000_000_000),
          help: "how many updates are averaged"
        )
      )
    }
    rules.register("bulyan", summary: "A trimmed mean of those that Krum prefers.") { arguments in
      try .bulyan(byzantine: arguments.required("byzantine", .byzantine, help: hostile))
    }
    rules.register("geometric-median", summary: "The point with the least sum of distances.") {
      arguments in
      try .geometricMedian(
        smoothing: arguments.optional(
          "smoothing",
          .number(above: 0),
          default: 1e-6,
          help: "a distance that counts as small"
        ),
        steps: arguments.optional(
          "steps",
          .integer(in: 1...1_000_000),
          default: 100,
          help: "how many steps of Weiszfeld's method there are at most"
        ),
        tolerance: arguments.optional(
          "tolerance",
          .number(in: 0...),
          default: 1e-10,
          help: "the relative change at which to stop"
        )
      )
    }
    rules.register(
      GaussianMean.name,
      summary: "The mean of clipped updates, with noise that a trusted server adds."
    ) { arguments in
      let norm = try arguments.required(
        "clip_norm",
        .number(above: 0),
        help: "the greatest Euclidean length of an update"
      )
      let level = try arguments.required(
        "noise_multiplier",
        .noiseLevel(.number(above: 0)),
        help:
          "the deviation of the noise in the sum over `clip_norm`, or as much as the budget needs"
      )
      var mean = try GaussianMean(
        clipNorm: norm,
        noiseMultiplier: level.known,
        adaptive: arguments.optional(
          "clip",
          .clipping,
          help:
            "`fixed`; or `adaptive`: the clip norm follows the updates (`quantile`, `learning_rate`, `count_deviation`)"
        ) ?? nil
      )
      mean.isCalibrated = level == .calibrated
      return mean
    }
    rules.register("norm-bound", summary: "The mean of updates that are clipped to a length.") {
      arguments in
      let bound = try arguments.optional("bound", .number(above: 0), help: "the greatest length")
      let factor = try arguments.optional(
        "times_norm_of_model",
        .number(above: 0),
        help: "the greatest length over the model's, in place of `bound`"
      )
      switch (bound, factor) {
      case (let bound?, nil): return try .normBound(bound)
      case (nil, let factor?): return try .normBound(timesNormOfModel: factor)
      default:
        throw arguments.error(
          at: "bound",
          "must have exactly one of 'bound' and 'times_norm_of_model'"
        )
      }
    }
  }

  /// The sites' and the server's parts of algorithms.
  mutating func registerAlgorithms() {
    serverOptimizers.register("sgd", summary: "SGD with momentum: FedAvgM (Hsu et al., 2019).") {
      arguments in
      try ServerSGD(
        learningRate: arguments.optional(
          "learning_rate",
          .number(above: 0),
          default: 1,
          help: "the step size"
        ),
        momentum: arguments.optional(
          "momentum",
          .number(in: 0..<1),
          default: 0.9,
          help: "the share of a step that goes on in the next"
        )
      )
    }
    registerAdaptive("adam", "FedAdam (Reddi et al., 2021).", beta1: 0.9, beta2: 0.99) {
      try .adam(learningRate: $0, beta1: $1, beta2: $2, tau: $3)
    }
    registerAdaptive("yogi", "FedYogi (Reddi et al., 2021).", beta1: 0.9, beta2: 0.99) {
      try .yogi(learningRate: $0, beta1: $1, beta2: $2, tau: $3)
    }
    registerAdaptive("adagrad", "FedAdagrad (Reddi et al., 2021).", beta1: 0, beta2: nil) {
      try .adagrad(learningRate: $0, beta1: $1, tau: $3)
    }
    algorithms.register("plain", summary: "Trains the global model, and answers with it.") { _ in
      .plain
    }
    algorithms.register("fedprox", summary: "Held near the global model (Li et al., 2020).") {
      arguments in
      try .fedProx(
        mu: arguments.optional(
          "mu",
          .number(in: 0...),
          default: ImageExperiment.Algorithm.mu,
          help: "how strongly the model is pulled to the global one; the paper tries 0.001 to 1"
        )
      )
    }
    algorithms.register(
      "ditto",
      summary: "A personal model beside the global one (Li et al., 2021)."
    ) {
      arguments in
      try .ditto(
        lambda: arguments.optional(
          "lambda",
          .number(in: 0...),
          default: 0.1,
          help: "how strongly the personal model is pulled to the global one; 0 is training alone"
        )
      )
    }
    algorithms.register(
      "fedbn",
      summary: "Tensors of normalisation stay at the site (Li et al., 2021)."
    ) {
      arguments in
      try .fedBN(
        names: arguments.required(
          "names",
          .list(of: .text, count: 1...),
          help: "names of the tensors that stay, with `*` for any characters"
        )
      )
    }
    algorithms.register(
      "scaffold",
      summary: "Control variates against drift (Karimireddy et al., 2020)."
    ) { _ in
      .scaffold
    }
    algorithms.register("fednova", summary: "Answers with normalised steps (Wang et al., 2020).") {
      _ in
      .fedNova
    }
  }

  private mutating func registerAdaptive(
    _ name: String,
    _ summary: String,
    beta1: Double,
    beta2: Double?,
    _ make:
      @escaping @Sendable (_ rate: Double, _ beta1: Double, _ beta2: Double, _ tau: Double) throws
      -> any ServerOptimizer
  ) {
    serverOptimizers.register(name, summary: summary) { arguments in
      try make(
        arguments.optional(
          "learning_rate",
          .number(above: 0),
          default: ImageExperiment.Algorithm.serverLearningRate,
          help: "the step size: how far an element moves in a round, about"
        ),
        arguments.optional(
          "beta1",
          .number(in: 0..<1),
          default: beta1,
          help: "how much of the mean change goes on"
        ),
        beta2.map {
          try arguments.optional(
            "beta2",
            .number(in: 0..<1),
            default: $0,
            help: "how much of the mean square goes on"
          )
        } ?? 0,
        arguments.optional(
          "tau",
          .number(above: 0),
          default: 1e-3,
          help: "the change that counts as small"
        )
      )
    }
  }
}

extension Schema where Value == Int {
  /// A number of hostile sites.
  fileprivate static var byzantine: Schema { .integer(in: 0...100_000_000) }
}
